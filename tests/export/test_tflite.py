"""The TFLite file: one window a call, TFLite's own operations only."""

import warnings

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.export import tflite
from tsad_keras.export.graph import ScoringGraph
from tsad_keras.export.reference import make_reference
from tsad_keras.export.requests import difference
from tsad_keras.export.tflite import TFLITE_FILE, convert_to_tflite, run_tflite


def test_scores_and_decisions_equal_those_of_the_detector(exported, tiny_detector, make_values):
    content = (exported / TFLITE_FILE).read_bytes()
    for seed, gaps in enumerate([0.0, 0.1, 0.9, 1.0]):
        window = make_values(tiny_detector, 20, seed=seed, gaps=gaps)
        outputs = run_tflite(content, window)
        assert set(outputs) == {"anomaly_score", "is_anomaly"}
        expected = tiny_detector.decision_function(window)
        assert difference(outputs["anomaly_score"], expected) < 1e-5
        np.testing.assert_array_equal(outputs["is_anomaly"], tiny_detector.predict(window) == 1)


def test_other_settings_convert_too_without_any_warning(untrained, tiny_config):
    settings = {**tiny_config, "window_size": 100, "smoothing_span": 11, "hidden_dim": 32}
    detector = untrained(**settings, num_features=7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        content = convert_to_tflite(ScoringGraph(detector), make_reference(detector))
    assert len(content) > 10_000


def test_a_file_that_disagrees_is_refused(default_detector, monkeypatch):
    reference = make_reference(default_detector)
    reference["window_scores"] = reference["window_scores"] * 1.001
    with pytest.raises(InputError, match=r"differ from the detector's by 0\.00\d*, expected at"):
        convert_to_tflite(ScoringGraph(default_detector), reference)


def test_a_graph_that_does_not_convert_is_refused_in_one_line(default_detector, monkeypatch):
    def fail(*_):
        raise RuntimeError("some operation\nhas no\tTFLite twin")

    monkeypatch.setattr(tflite.tf.lite.TFLiteConverter, "from_concrete_functions", fail)
    with pytest.raises(InputError, match="RuntimeError: some operation has no TFLite twin"):
        convert_to_tflite(ScoringGraph(default_detector), make_reference(default_detector))
