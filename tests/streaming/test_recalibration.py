"""The moving threshold: off, in pieces, under drift, under an anomaly."""

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.streaming.recalibration import Recalibration


def test_off_means_the_threshold_stays():
    recalibration = Recalibration(threshold=3.0, level=1.0)
    assert recalibration.update(np.array([0.5, 2.9, 9.0])).tolist() == [3.0, 3.0, 3.0]
    assert recalibration.threshold == 3.0


def test_the_threshold_follows_slow_drift_up_and_down():
    rng = np.random.default_rng(0)
    level = np.concatenate([np.linspace(1, 4, 5000), np.linspace(4, 0.5, 5000)])
    scores = level * rng.gamma(20, 1 / 20, len(level))
    recalibration = Recalibration(threshold=2.0, level=1.0, span=200)
    thresholds = recalibration.update(scores)
    np.testing.assert_allclose(thresholds / level, 2.0, rtol=0.3)
    fixed, moving = np.mean(scores >= 2.0), np.mean(scores >= thresholds)
    assert fixed > 0.4
    assert moving < 0.01


def test_what_is_judged_anomalous_teaches_nothing():
    recalibration = Recalibration(threshold=2.0, level=1.0, span=5)
    thresholds = recalibration.update(np.full(1000, 50.0))
    assert set(thresholds) == {2.0}


def test_a_score_at_the_threshold_is_an_alarm_and_a_missing_one_is_skipped():
    recalibration = Recalibration(threshold=2.0, level=1.0, span=5)
    assert recalibration.update(np.array([2.0, np.nan, 2.0])).tolist() == [2.0, 2.0, 2.0]


def test_pieces_make_no_difference():
    scores = np.random.default_rng(0).gamma(2, 0.5, 500)
    whole = Recalibration(threshold=3.0, level=1.0, span=50).update(scores)
    other = Recalibration(threshold=3.0, level=1.0, span=50)
    parts = [other.update(part) for part in np.split(scores, [1, 7, 7, 300])]
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_a_level_of_zero_is_survived():
    recalibration = Recalibration(threshold=1.0, level=0.0, span=5)
    assert np.isfinite(recalibration.update(np.array([0.0, 0.0, 0.5]))).all()


def test_a_negative_span_is_refused():
    with pytest.raises(InputError, match="recalibration_span"):
        Recalibration(threshold=1.0, level=1.0, span=-1)
