"""The model in `saved_models/synthetic`: it loads, scores as promised, matches its export."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsad_keras import Config, evaluate_scores, load_dataset, load_detector, load_export

FOLDER = Path(__file__).resolve().parents[2] / "saved_models" / "synthetic"


@pytest.fixture(scope="module")
def detector():
    return load_detector(FOLDER)


def test_it_was_trained_with_the_present_defaults(detector):
    assert detector.config == Config(), "run benchmarks/pretrained.py again"


def test_it_finds_the_anomalies_of_the_synthetic_set(detector):
    dataset = load_dataset("synthetic")
    assert dataset.feature_names == detector.feature_names_
    scores = detector.decision_function(dataset.test)
    metrics = evaluate_scores(dataset.test_labels, scores, detector.predict(dataset.test))
    assert metrics["vus_pr_score"] > 0.98
    assert metrics["f1_score"] > 0.7


def test_its_export_is_of_the_same_weights_and_gives_the_same_scores(detector):
    export = load_export(FOLDER)
    assert export.weights_sha256_ == detector.weights_sha256_
    values = pd.read_csv(FOLDER / "sample.csv").drop(columns="time").to_numpy()
    expected = detector.decision_function(values)
    made = export.signature("score_series")(series=values.astype(np.float32))
    np.testing.assert_allclose(made["anomaly_score"], expected, rtol=1e-5, atol=1e-5)
    assert 0 < detector.predict(values).sum() < len(values)


def test_the_sample_request_is_one_window(detector):
    request = json.loads((FOLDER / "sample_request.json").read_text())
    window = np.array(request["instances"], np.float32)
    assert window.shape == (1, detector.config.window_size, len(detector.feature_names_))
    made = load_export(FOLDER).signature("serving_default")(windows=window)
    expected = detector.decision_function(window[0])
    np.testing.assert_allclose(made["anomaly_score"][0], expected, rtol=1e-5, atol=1e-5)


def test_it_is_small():
    size = sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file())
    assert size < 15e6


def test_the_sample_holds_an_anomaly_in_its_middle(load_script):
    script = load_script("pretrained")
    labels = np.zeros(1000, int)
    labels[[500, 501]] = 1
    sample = script.make_sample(np.arange(1000.0)[:, None], labels, ["cpu"])
    assert len(sample) == script.NUM_SAMPLE_ROWS
    assert sample["cpu"].iloc[200] in (500, 501)
