"""Warm-up requests: TensorFlow Serving replays them before it lets a new version answer.

The file holds `PredictionLog` messages. Their schema is repeated here, as far as it is needed, so
that an export does not need the package tensorflow-serving-api; a test reads the file with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

WARMUP_FILE = Path("assets.extra") / "tf_serving_warmup_requests"

_FIELD = descriptor_pb2.FieldDescriptorProto
# message: (field, number, type or message). The value of an input is a TensorProto; as bytes it
# looks the same on the wire.
_SCHEMA: dict[str, tuple[tuple[str, int, Any], ...]] = {
    "ModelSpec": (("name", 1, _FIELD.TYPE_STRING), ("signature_name", 3, _FIELD.TYPE_STRING)),
    "InputsEntry": (("key", 1, _FIELD.TYPE_STRING), ("value", 2, _FIELD.TYPE_BYTES)),
    "PredictRequest": (("model_spec", 1, "ModelSpec"), ("inputs", 2, "InputsEntry")),
    "PredictLog": (("request", 1, "PredictRequest"),),
    "PredictionLog": (("predict_log", 6, "PredictLog"),),
}


def write_warmup(path: Path, model_name: str, requests: dict[str, dict[str, np.ndarray]]) -> None:
    """Writes one request for each signature.

    Args:
        path: The file; its folder is made.
        model_name: Name of the model in the requests.
        requests: Signature name to named float32 inputs.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    messages = _message_classes()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature_name, inputs in requests.items():
            log = messages["PredictionLog"]()
            request = log.predict_log.request
            request.model_spec.name = model_name
            request.model_spec.signature_name = signature_name
            for key, value in inputs.items():
                proto = tf.make_tensor_proto(np.asarray(value, np.float32))
                request.inputs.add(key=key, value=proto.SerializeToString())
            writer.write(log.SerializeToString())


def read_warmup(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields signature name and named inputs of each request in a warm-up file."""
    message = _message_classes()["PredictionLog"]
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        request = message.FromString(record).predict_log.request
        inputs = {}
        for entry in request.inputs:
            proto = tf.make_tensor_proto(0.0)
            proto.ParseFromString(entry.value)
            inputs[entry.key] = tf.make_ndarray(proto)
        yield request.model_spec.signature_name, inputs


def _message_classes() -> dict[str, Any]:
    package = "tensorflow.serving"
    file = descriptor_pb2.FileDescriptorProto(name="warmup.proto", package=package, syntax="proto3")
    for name, fields in _SCHEMA.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            repeated = kind == "InputsEntry"
            field = message.field.add(
                name=field_name,
                number=number,
                label=_FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL,
                type=_FIELD.TYPE_MESSAGE if isinstance(kind, str) else kind,
            )
            if isinstance(kind, str):
                field.type_name = f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{package}.{name}")) for name in _SCHEMA}
