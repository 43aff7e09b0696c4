"""The warm-up file, and requests and answers in TensorFlow Serving's own messages."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.export.requests import SIGNATURES
from tsad_keras.export.running import read_signatures
from tsad_keras.export.warmup import WARMUP_FILE, read_warmup, write_warmup
from tsad_keras.export.worker import answer_in_session

apis = pytest.importorskip("tensorflow_serving.apis")
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2  # noqa: E402


def test_the_servers_own_schema_reads_the_file(exported):
    path = exported / WARMUP_FILE
    assert path.parts[-2:] == ("assets.extra", "tf_serving_warmup_requests")
    found = {}
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        assert request.model_spec.name == "tiny"
        (argument,) = request.inputs
        value = tf.make_ndarray(request.inputs[argument])
        found[request.model_spec.signature_name] = argument
        assert (
            value.dtype == np.float32
            and value.ndim == SIGNATURES[request.model_spec.signature_name][1]
        )
    assert found == {name: argument for name, (argument, _, _) in SIGNATURES.items()}


def test_we_read_what_the_servers_own_schema_writes(tmp_path):
    log = prediction_log_pb2.PredictionLog()
    request = log.predict_log.request
    request.model_spec.name, request.model_spec.signature_name = "m", "score_series"
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    request.inputs["series"].CopyFrom(tf.make_tensor_proto(values))
    with tf.io.TFRecordWriter(str(tmp_path / "file")) as writer:
        writer.write(log.SerializeToString())
    ((signature, inputs),) = read_warmup(tmp_path / "file")
    assert signature == "score_series"
    np.testing.assert_array_equal(inputs["series"], values)


def test_round_trip_keeps_gaps_and_shapes(tmp_path):
    values = np.array([[[np.nan, 3e38], [-0.0, 1e-40]]], np.float32)
    write_warmup(tmp_path / "a" / "file", "m", {"x": {"b": values}, "y": {"c": values[:0]}})
    found = dict(read_warmup(tmp_path / "a" / "file"))
    np.testing.assert_array_equal(found["x"]["b"], values)
    assert found["y"]["c"].shape == (0, 2, 2)


def test_a_request_over_the_wire_and_its_answer(exported, tiny_detector, make_values):
    """What a gRPC client sends and gets: messages as bytes, with the session in between."""
    series = make_values(tiny_detector, 53)
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "tiny", "score_series"
    request.inputs["series"].CopyFrom(tf.make_tensor_proto(series))
    received = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    name = received.model_spec.signature_name
    values = tf.make_ndarray(received.inputs["series"])
    header = [{"signature": name, "tensor": read_signatures(exported)[name].inputs["series"].name}]
    outputs, outcomes = answer_in_session(str(exported), {"0": values}, header)
    assert [outcome["code"] for outcome in outcomes] == [0]
    response = predict_pb2.PredictResponse()
    for output, value in outputs.items():
        response.outputs[output.removeprefix("0/")].CopyFrom(tf.make_tensor_proto(value))
    answer = predict_pb2.PredictResponse.FromString(response.SerializeToString())
    scores = tf.make_ndarray(answer.outputs["anomaly_score"])
    np.testing.assert_allclose(scores, tiny_detector.decision_function(series), rtol=1e-5)
    alarms = tf.make_ndarray(answer.outputs["is_anomaly"])
    np.testing.assert_array_equal(alarms, tiny_detector.predict(series))
    assert tf.make_ndarray(answer.outputs["contribution"]).shape == series.shape
