"""Causal scores of a detector: definition, threshold, pieces, lengths; hashes of what counts."""

import dataclasses

import numpy as np
import pytest

from tsad_keras import ContrastiveGANDetector, load_detector
from tsad_keras.detector import fitting
from tsad_keras.errors import InputError
from tsad_keras.windows import gather_windows


@pytest.mark.parametrize("score_mode", ["fused", "reconstruction", "realism", "combined"])
def test_a_causal_score_is_that_of_the_last_step_of_the_window_that_ends_there(
    score_mode, tiny_config, make_series
):
    settings = {**tiny_config, "epochs": 1, "score_mode": score_mode}
    detector = ContrastiveGANDetector(**settings).fit(make_series(300), verbose=False)
    series = make_series(70, seed=1)
    scaled = detector.scaler_.transform(series)
    padded = np.concatenate([np.repeat(scaled[:1], 19, axis=0), scaled])
    outputs = detector.window_outputs(gather_windows(padded, np.arange(70), 20))[:, -1]
    expected = detector.point_judge().update(outputs.astype(float))
    np.testing.assert_allclose(detector.explain(series, causal=True), expected, rtol=1e-5)
    scores = detector.decision_function(series, causal=True)
    np.testing.assert_allclose(scores, expected.sum(axis=1), rtol=1e-5)
    alarms = detector.predict(series, causal=True)
    assert alarms.tolist() == (scores >= detector.causal_threshold_).astype(int).tolist()


def test_causal_scores_never_look_ahead(tiny_detector, make_series):
    series = make_series(200)
    changed = series.copy()
    changed[150:] += 50
    before, after = (tiny_detector.decision_function(v, causal=True) for v in (series, changed))
    np.testing.assert_allclose(after[:150], before[:150], rtol=1e-5)
    assert (np.abs(after[150:] - before[150:]) > 1).all()


@pytest.mark.parametrize("num_timesteps", [1, 7, 19, 20, 21])
def test_causal_scores_need_no_whole_window(tiny_detector, make_series, num_timesteps):
    series = make_series(60)
    scores = tiny_detector.decision_function(series[:num_timesteps], causal=True)
    whole = tiny_detector.decision_function(series, causal=True)
    np.testing.assert_allclose(scores, whole[:num_timesteps], rtol=1e-5)
    with pytest.raises(InputError, match="0 time steps"):
        tiny_detector.decision_function(series[:0], causal=True)


@pytest.mark.parametrize("seed", range(3))
def test_causal_pieces_give_what_the_whole_gives(seed, tiny_detector, make_series):
    rng = np.random.default_rng(seed)
    series = make_series(int(rng.integers(20, 300)))
    series[rng.random(series.shape) < 0.3] = np.nan
    pieces = np.split(series, np.sort(rng.integers(0, len(series) + 1, 9)))
    parts = list(tiny_detector.iterate_explained(pieces, causal=True))
    np.testing.assert_allclose(
        np.concatenate(parts), tiny_detector.explain(series, causal=True), rtol=1e-5, atol=1e-9
    )


def test_the_causal_threshold_is_that_of_the_rule_on_causal_validation_scores(
    tiny_config, make_series
):
    series = make_series()
    detector = ContrastiveGANDetector(
        **tiny_config,
        threshold_method="percentile",
        false_alarm_rate=0.1,
        validation_fraction=0.25,
    ).fit(series, verbose=False)
    validation = detector.decision_function(series[-150:], causal=True)
    threshold = detector.causal_threshold_
    assert threshold == pytest.approx(np.quantile(validation, 0.9), rel=1e-4)
    level = validation[validation < threshold].mean()
    assert detector.causal_score_level_ == pytest.approx(level, rel=1e-4)
    centred = detector.decision_function(series[-150:])
    level = centred[centred < detector.threshold_].mean()
    assert detector.score_level_ == pytest.approx(level, rel=1e-4)


def test_a_long_validation_part_is_shortened_evenly(monkeypatch):
    monkeypatch.setattr(fitting, "MAX_CAUSAL_ROWS", 100)
    series = [np.zeros((150, 2)), np.zeros((50, 2)), np.zeros((1, 2))]
    assert [len(part) for part in fitting.shortened(series)] == [74, 24, 1]
    assert [len(part) for part in fitting.shortened(series[1:2])] == [50]


def test_the_hash_changes_with_all_that_scores_depend_on(tiny_detector, tmp_path):
    tiny_detector.save(tmp_path)
    before = tiny_detector.weights_sha256_
    assert len(before) == 64
    for change in ("scale", "error_scale", "weight"):
        other = load_detector(tmp_path)
        assert other.weights_sha256_ == before
        if change == "scale":
            other.scaler_.scale_ = other.scaler_.scale_ * (1 + 1e-12)
        elif change == "error_scale":
            other.error_scale_ = other.error_scale_ * 2
        else:
            other.networks_.autoencoder.weights[0].assign_add(
                np.full(other.networks_.autoencoder.weights[0].shape, 1e-3, np.float32)
            )
        assert other.weights_sha256_ != before, change


def test_a_level_that_has_moved_is_no_endless_alarm(tiny_detector, make_series):
    usual, moved = make_series(1500), make_series(1500, seed=1) + 20
    scores = tiny_detector.decision_function(moved)
    assert (scores >= tiny_detector.threshold_).mean() > 0.9
    alarms = tiny_detector.predict(moved)
    assert alarms.mean() <= 0.1
    threshold = tiny_detector.series_threshold(scores)
    assert alarms.tolist() == (scores >= threshold).astype(int).tolist()
    # each series by itself, and none that is short
    both = tiny_detector.predict([usual, moved])
    assert both.tolist() == [*tiny_detector.predict(usual), *alarms]
    assert tiny_detector.predict(moved[:999]).mean() > 0.9


def test_causal_decisions_take_back_endless_alarms_without_looking_ahead(
    tiny_detector, make_series
):
    moved = make_series(1800, seed=1) + 20
    alarms = tiny_detector.predict(moved, causal=True)
    assert alarms[:1000].mean() > 0.9 and alarms[1000:].mean() < 0.3
    assert tiny_detector.predict(moved[:1300], causal=True).tolist() == alarms[:1300].tolist()


def test_a_rate_of_one_leaves_the_threshold_alone(tiny_detector, make_series, monkeypatch):
    monkeypatch.setattr(
        tiny_detector, "config", dataclasses.replace(tiny_detector.config, max_alarm_rate=1.0)
    )
    assert tiny_detector.predict(make_series(1500) + 20).mean() > 0.9
