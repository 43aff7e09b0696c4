"""The whole graph against the detector, for every kind of score, window, stride and value."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.export.graph import ScoringGraph, traced_signatures
from tsad_keras.export.requests import difference

TOLERANCE = 1e-5
SETTINGS = {
    "fused": {},
    "fused of one feature": {"num_features": 1},
    "fused of long windows": {"window_size": 120, "patch_size": 2, "score_stride": 60},
    "fused with a small memory": {"memory_size": 3, "num_neighbours": 1},
    "fused without memory or bursts": {"memory_size": 0, "burst_span": 0},
    "fused without a forecast": {"forecast_order": 0},
    "fused without a shift": {"mean_shift": False},
    "fused of errors alone": {"forecast_order": 0, "mean_shift": False, "memory_size": 0},
    "fused with long bursts": {"memory_size": 0, "burst_span": 700, "smoothing_span": 1},
    "reconstruction": {"score_mode": "reconstruction"},
    "realism": {"score_mode": "realism"},
    "combined": {"score_mode": "combined", "realism_weight": 3.0},
    "hybrid": {"preset": "hybrid", "num_layers": 2},
    "not smoothed": {"smoothing_span": 1},
    "much smoothed": {"smoothing_span": 300},
    "stride of one": {"score_stride": 1, "score_mode": "combined"},
    "stride that leaves a tail": {"score_stride": 7},
    "stride of a window": {"score_stride": 20},
    "windows of two": {"window_size": 2, "patch_size": 1, "score_stride": 1},
    "long windows": {"window_size": 120, "patch_size": 20, "score_stride": 60},
    "one feature": {"num_features": 1, "score_mode": "combined"},
    "not calibrated": {"calibrate": False, "clip": 3.0},
    "large mean": {"mean": 1.23456789e9, "scale": 100.0},
    "tiny scale": {"mean": 1e-12, "scale": 1e-15},
}


@pytest.fixture(scope="module", params=SETTINGS)
def case(request, untrained, tiny_config):
    settings = {**tiny_config, **SETTINGS[request.param]}
    detector = untrained(**settings)
    return detector, traced_signatures(ScoringGraph(detector))


@pytest.fixture(scope="module")
def signatures(default_detector):
    """Those of the default detector."""
    return traced_signatures(ScoringGraph(default_detector))


def call(function, values):
    """Runs a signature; checks what holds for every answer."""
    outputs = {name: value.numpy() for name, value in function(tf.constant(values)).items()}
    if "is_anomaly" in outputs:
        np.testing.assert_array_equal(outputs["is_anomaly"], outputs["anomaly_score"] >= 2.5)
    return outputs


def test_every_signature_agrees_with_the_detector(case, make_values):
    detector, signatures = case
    size = detector.config.window_size
    for seed, length in enumerate([size, size + 1, 2 * size - 1, 7 * size + 3]):
        for gaps in (0.0, 0.3, 1.0):
            series = make_values(detector, length, seed=seed, gaps=gaps)
            outputs = call(signatures["score_series"], series)
            expected = detector.explain(series)
            assert difference(outputs["anomaly_score"], expected.sum(axis=1)) < TOLERANCE
            assert difference(outputs["contribution"], expected) < TOLERANCE
    for count in (1, 3):
        batch = make_values(detector, count, 2 * size + 1, seed=count)
        expected = np.stack([detector.decision_function(series) for series in batch])
        outputs = call(signatures["score_batch"], batch)
        assert difference(outputs["anomaly_score"], expected) < TOLERANCE
        windows = batch[:, :size]
        expected = np.stack([detector.decision_function(window) for window in windows])
        outputs = call(signatures["score_windows"], windows)
        assert difference(outputs["anomaly_score"], expected) < TOLERANCE


def test_the_last_outputs_are_those_of_the_detector(case, make_values):
    detector, signatures = case
    windows = make_values(detector, 3, detector.config.window_size, seed=5, gaps=0.2)
    outputs = signatures["last_outputs"](tf.constant(windows))["outputs"].numpy()
    prepared = np.stack([detector.prepare_rows(window) for window in windows])
    # Of roots, as a square doubles what rounding leaves of a small difference of large values.
    assert difference(np.sqrt(outputs), np.sqrt(detector.last_outputs(prepared))) < TOLERANCE


def test_decisions_of_whole_series_are_those_of_predict(default_detector, signatures, make_values):
    detector = default_detector
    usual, moved = (make_values(detector, 1100, seed=seed) for seed in (1, 2))
    moved[60:] += 30 * detector.scaler_.scale_
    expected = [detector.predict(values) for values in (usual, moved)]
    scores = detector.decision_function(moved)
    assert (scores >= detector.threshold_).mean() > 0.5 and 0 < expected[1].mean() <= 0.1
    for values, alarms in zip((usual, moved), expected, strict=True):
        outputs = signatures["score_series"](tf.constant(values))
        assert outputs["is_anomaly"].numpy().astype(int).tolist() == alarms.tolist()
    batch = signatures["score_batch"](tf.constant(np.stack([usual, moved])))
    assert batch["is_anomaly"].numpy().astype(int).tolist() == np.stack(expected).tolist()
    short = signatures["score_series"](tf.constant(moved[:999]))["is_anomaly"].numpy()
    assert short.mean() > 0.5


def test_reconstruct_gives_what_the_networks_say(default_detector, signatures, make_values):
    detector = default_detector
    windows = make_values(detector, 4, 20)
    outputs = call(signatures["reconstruct"], windows)
    scaled = np.stack([detector.scaler_.transform(window) for window in windows])
    components = [detector.components(window) for window in windows]
    made = (outputs["reconstruction"] - detector.scaler_.mean_) / detector.scaler_.scale_
    np.testing.assert_allclose(made, made_by(detector, scaled)["reconstruction"], atol=2e-5)
    np.testing.assert_allclose(outputs["squared_error"], (made - scaled) ** 2, atol=1e-3, rtol=1e-4)
    realism = [component["realism"][0] for component in components]
    np.testing.assert_allclose(outputs["realism"], realism, rtol=1e-5)
    np.testing.assert_allclose(
        outputs["embedding"], made_by(detector, scaled)["embedding"], atol=1e-5
    )


def made_by(detector, scaled):
    return {k: v.numpy() for k, v in detector.networks_.autoencoder(scaled).items()}


def test_a_window_is_never_filled_from_the_one_before(signatures):
    gap = np.full((1, 20, 3), np.nan, np.float32)
    filled = np.full((1, 20, 3), 5000.0, np.float32)
    alone = call(signatures["score_windows"], gap)["anomaly_score"]
    both = call(signatures["score_windows"], np.concatenate([filled, gap]))["anomaly_score"]
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-5, atol=1e-7)
    both = call(signatures["score_batch"], np.concatenate([filled, gap]))["anomaly_score"]
    np.testing.assert_allclose(both[1], alone[0], rtol=1e-5, atol=1e-7)


def test_the_largest_values_of_float32_are_cut_and_not_refused(default_detector, signatures):
    series = np.full((40, 3), 3.4e38, np.float32)
    series[::2] *= -1
    scores = call(signatures["score_series"], series)["anomaly_score"]
    assert difference(scores, default_detector.decision_function(series)) < TOLERANCE


def test_a_batch_of_none_has_no_scores(signatures):
    for name, length in (("score_windows", 20), ("score_batch", 33)):
        outputs = call(signatures[name], np.zeros((0, length, 3), np.float32))
        assert outputs["anomaly_score"].shape == (0, length)
    outputs = call(signatures["reconstruct"], np.zeros((0, 20, 3), np.float32))
    assert outputs["embedding"].shape == (0, 16)


@pytest.mark.parametrize(
    ("name", "values", "fragment"),
    [
        ("score_series", np.zeros((19, 3)), "series has the wrong number of time steps"),
        ("score_series", np.zeros((0, 3)), "expected at least window_size = 20"),
        ("score_batch", np.zeros((2, 19, 3)), "batch has the wrong number of time steps"),
        ("score_series", np.full((20, 3), np.inf), "series holds an infinite value"),
        ("score_windows", np.full((1, 20, 3), -np.inf), "windows holds an infinite value"),
        ("reconstruct", np.full((1, 20, 3), np.inf), "expected finite values or NaN"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_a_sentence(signatures, name, values, fragment):
    with pytest.raises(tf.errors.InvalidArgumentError, match=fragment):
        call(signatures[name], values.astype(np.float32))
