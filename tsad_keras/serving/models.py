"""One loaded version of the model: its signatures, its metadata, one call."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow.core.protobuf import saved_model_pb2

from tsad_keras.errors import InputError
from tsad_keras.export.warmup import WARMUP_FILE, read_warmup
from tsad_keras.inference.exported import load_export
from tsad_keras.serving.signatures import DEFAULT_SIGNATURE, Signature

logger = logging.getLogger(__name__)

_INTERNAL = "__saved_model_init_op"  # TensorFlow's own; shown in the metadata, not to be called


class LoadedModel:
    """A version that is ready to answer.

    Args:
        folder: The version's folder.
        version: Its number.

    Attributes:
        version: Its number.
        is_retired: Whether requests without a version no longer come here.
        detector: The export with the detector's verbs, for streams.
        signatures: What may be called, by name.
        signature_defs: The SavedModel's own description, JSON-serialisable.

    Raises:
        InputError: If the version is damaged or not an export of this package.
    """

    def __init__(self, folder: Path, version: int) -> None:
        self.version = version
        self.is_retired = False
        self.detector = load_export(folder)
        try:
            definitions = _read_definitions(folder)
            self.signature_defs = {name: _to_json(made) for name, made in definitions.items()}
            size = self.detector.config.window_size
            self.signatures = {
                name: _to_signature(name, definition, size)
                for name, definition in definitions.items()
                if name != _INTERNAL
            }
            self._calls = {name: self.detector.signature(name) for name in self.signatures}
        except InputError:
            raise
        except Exception as error:  # a damaged file raises nearly anything
            raise InputError(f"{folder} has unusable signatures ({error}); export again") from error
        if DEFAULT_SIGNATURE not in self.signatures:
            raise InputError(f"{folder} has no signature {DEFAULT_SIGNATURE}; export again")

    def run(self, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
        """Calls a signature.

        Args:
            name: Of the signature.
            values: Its input, float32, of the signature's shape.

        Returns:
            Its outputs by name.
        """
        signature = self.signatures[name]
        made = self._calls[name](**{signature.input_name: tf.constant(values)})
        return {output: made[output].numpy() for output in signature.output_names}

    def warm_up(self) -> None:
        """Replays the export's warm-up requests, or sends one empty input to each signature.

        Raises:
            InputError: If the model cannot answer them.
        """
        path = self.detector.directory / WARMUP_FILE
        requests = {name: self._smallest(name) for name in self.signatures}
        if path.is_file():
            try:
                for name, inputs in read_warmup(path):
                    requests[name] = inputs[self.signatures[name].input_name]
            except Exception as error:  # not needed to answer: go on with the empty inputs
                logger.warning("%s cannot be read (%s); warming up without it", path, error)
        try:
            for name, values in requests.items():
                if name in self.signatures:
                    self.run(name, values)
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"version {self.version} fails at its warm-up ({type(error).__name__}: {reason}); "
                "export again"
            ) from error

    @property
    def info(self) -> dict[str, Any]:
        """What the export says of itself: features, window size, thresholds."""
        return {"version": str(self.version), **self.detector.metadata}

    def _smallest(self, name: str) -> np.ndarray:
        signature = self.signatures[name]
        least = [1] * (len(signature.shape) - 2) + [signature.window_size]
        shape = [
            size or smallest for size, smallest in zip(signature.shape, [*least, 1], strict=True)
        ]
        return np.zeros(shape, np.float32)


def _read_definitions(folder: Path) -> dict[str, Any]:
    """The SignatureDefs by name, as the file has them."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {name: definitions[name] for name in sorted(definitions)}


def _to_json(definition: Any) -> dict[str, Any]:
    return json_format.MessageToDict(
        definition, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _to_signature(name: str, definition: Any, window_size: int) -> Signature:
    ((input_name, tensor),) = definition.inputs.items()
    if tensor.dtype != tf.float32.as_datatype_enum:
        raise ValueError(f"input {input_name} is not float32")
    shape = tuple(None if axis.size < 0 else axis.size for axis in tensor.tensor_shape.dim)
    if len(shape) not in (2, 3) or shape[-1] is None:
        raise ValueError(f"input {input_name} has shape {shape}")
    return Signature(name, input_name, shape, window_size, tuple(sorted(definition.outputs)))
