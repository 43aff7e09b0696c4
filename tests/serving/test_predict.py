"""TensorFlow Serving's paths: answers equal the library's, and its forms and messages."""

import json

import numpy as np
import pytest


def assert_scores(answer, scores, threshold):
    np.testing.assert_allclose(answer["anomaly_score"], scores, rtol=1e-5, atol=1e-5)
    clear = np.abs(scores - threshold) > 1e-4
    expected = scores >= threshold
    assert np.array_equal(np.array(answer["is_anomaly"])[clear], expected[clear])
    assert np.array(answer["is_anomaly"]).dtype == bool


def as_columns(predictions):
    return {name: [row[name] for row in predictions] for name in predictions[0]}


@pytest.fixture
def expected(tiny_detector, series):
    return tiny_detector.decision_function(series)


@pytest.mark.parametrize("path", [":predict", "/versions/1:predict"])
@pytest.mark.parametrize("form", ["inputs", "named inputs", "instances", "named instances"])
def test_each_form_scores_windows(shared, tiny_detector, windows, path, form):
    values = windows.tolist()
    body = {
        "inputs": {"inputs": values},
        "named inputs": {"inputs": {"windows": values}},
        "instances": {"instances": values, "signature_name": "score_windows"},
        "named instances": {"instances": [{"windows": window} for window in values]},
    }[form]
    status, answer = shared.post(path, body)
    assert status == 200
    assert list(answer) == ["outputs" if "inputs" in form else "predictions"]
    outputs = answer.get("outputs") or as_columns(answer["predictions"])
    scores = np.stack([tiny_detector.decision_function(window) for window in windows])
    assert_scores(outputs, scores, tiny_detector.threshold_)


def test_series_by_column(shared, tiny_detector, series, expected):
    body = {"signature_name": "score_series", "inputs": series.tolist()}
    status, answer = shared.post(":predict", body)
    assert status == 200
    assert_scores(answer["outputs"], expected, tiny_detector.threshold_)
    contributions = tiny_detector.explain(series)
    np.testing.assert_allclose(answer["outputs"]["contribution"], contributions, 1e-5, 1e-5)


def test_series_by_row_has_one_item_a_time_step(shared, tiny_detector, series, expected):
    body = {"signature_name": "score_series", "instances": series.tolist()}
    status, answer = shared.post(":predict", body)
    assert status == 200
    assert len(answer["predictions"]) == len(series)
    assert_scores(as_columns(answer["predictions"]), expected, tiny_detector.threshold_)


def test_series_of_one_length_as_a_batch(shared, tiny_detector, series, make_series):
    batch = np.stack([series, make_series(75, seed=31)])
    body = {"signature_name": "score_batch", "inputs": {"batch": batch.tolist()}}
    status, answer = shared.post(":predict", body)
    assert status == 200
    scores = np.stack([tiny_detector.decision_function(one) for one in batch])
    assert_scores(answer["outputs"], scores, tiny_detector.threshold_)


def test_reconstruct(shared, loaded, windows):
    body = {"signature_name": "reconstruct", "inputs": windows.tolist()}
    status, answer = shared.post(":predict", body)
    assert status == 200
    outputs = loaded[1].signature("reconstruct")(windows=windows.astype(np.float32))
    assert answer["outputs"].keys() == outputs.keys()
    for name, value in outputs.items():
        np.testing.assert_allclose(answer["outputs"][name], value, rtol=1e-5, atol=1e-5)


def test_a_request_larger_than_a_pass_is_cut_and_joined(serve, tiny_detector, windows):
    server = serve(max_batch_size=4)
    many = np.concatenate([windows, windows[::-1], windows])[:15]
    status, answer = server.post(":predict", {"inputs": many.tolist()})
    assert status == 200
    scores = np.stack([tiny_detector.decision_function(window) for window in many])
    assert_scores(answer["outputs"], scores, tiny_detector.threshold_)
    assert server.metric("tsad_batch_size_count") == 4
    assert server.metric("tsad_batch_size_sum") == 15


def test_the_word_nan_is_a_missing_value(shared, windows):
    assert b"NaN" in json.dumps(windows.tolist()).encode()
    filled = windows.copy()
    filled[1, 3, 2], filled[4, 0, 0] = filled[1, 2, 2], np.nan  # the first has none before it
    first = shared.post(":predict", {"inputs": windows.tolist()})[1]
    assert first == shared.post(":predict", {"inputs": filled.tolist()})[1]


def test_whole_numbers_are_numbers(shared):
    status, answer = shared.post(":predict", {"inputs": [[[1, 2, 30]] * 20]})
    same = shared.post(":predict", {"inputs": [[[1.0, 2.0, 3e1]] * 20]})
    assert (status, answer) == same
    assert shared.post(":predict", {"inputs": [[[10**30, 2, 30]] * 20]})[0] == 200


def test_status(shared):
    expected = {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert shared.get("") == (200, expected)
    assert shared.get("/versions/1") == (200, expected)


@pytest.mark.parametrize("path", ["/metadata", "/versions/1/metadata"])
def test_metadata(shared, path):
    status, answer = shared.get(path)
    assert status == 200
    assert answer["model_spec"] == {"name": "mine", "signature_name": "", "version": "1"}
    outer = answer["metadata"]["signature_def"]
    assert outer["@type"] == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = outer["signature_def"]
    ours = {"score_windows", "score_series", "score_batch", "reconstruct"}
    assert ours | {"serving_default"} <= set(signatures)
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    tensor = default["inputs"]["windows"]
    assert tensor["dtype"] == "DT_FLOAT"
    assert [axis["size"] for axis in tensor["tensor_shape"]["dim"]] == ["-1", "20", "3"]
    assert default["outputs"]["is_anomaly"]["dtype"] == "DT_BOOL"


def test_info_tells_what_a_client_has_to_know(shared, tiny_detector):
    status, answer = shared.get("/info")
    assert status == 200
    assert answer["feature_names"] == list(tiny_detector.feature_names_)
    assert answer["threshold"] == tiny_detector.threshold_
    assert answer["window_size"] == 20


def test_health_and_metrics(shared):
    assert shared.ask("GET", "/healthz")[:2] == (
        200,
        {"status": "ok", "model": "mine", "versions": ["1"]},
    )
    status, text, headers = shared.ask("GET", "/metrics")
    assert status == 200
    assert headers.get_content_type() == "text/plain"
    for name in (
        "tsad_requests_total",
        "tsad_request_seconds_bucket",
        "tsad_batch_size_bucket",
        "tsad_queue_length",
        "tsad_model_seconds_total",
        "tsad_streams",
        "tsad_version_available",
        "process_resident_memory_bytes",
    ):
        assert name in text
