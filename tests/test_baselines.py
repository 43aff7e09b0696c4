"""One contract for all baselines, and what each of them is."""

from __future__ import annotations

import numpy as np
import pytest

from tsad_keras.baselines import (
    AlwaysAlarmBaseline,
    L2NormBaseline,
    PCAErrorBaseline,
    RandomBaseline,
    baselines_for,
)
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.smoothing import CausalSmoother

ALL = [RandomBaseline, AlwaysAlarmBaseline, L2NormBaseline, PCAErrorBaseline]
LEARNT = [L2NormBaseline, PCAErrorBaseline]


def correlated(num_timesteps: int, seed: int = 0) -> np.ndarray:
    """Three features driven by one, `(num_timesteps, 3)`."""
    random = np.random.default_rng(seed)
    driver = random.normal(size=(num_timesteps, 1))
    return 5.0 + driver @ [[1.0, 2.0, -1.0]] + 0.05 * random.normal(size=(num_timesteps, 3))


TRAIN = correlated(1500)
TEST = correlated(600, seed=1)


@pytest.mark.parametrize("cls", ALL)
@pytest.mark.parametrize("span", [1, 11])
class TestContract:
    def test_one_finite_score_and_one_decision_a_time_step(self, cls, span):
        baseline = cls(smoothing_span=span).fit(TRAIN)
        scores, alarms = baseline.decision_function(TEST), baseline.predict(TEST)
        assert scores.shape == alarms.shape == (len(TEST),)
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(alarms, (scores >= baseline.threshold_).astype(int))

    def test_missing_values_get_a_score(self, cls, span):
        train, test = TRAIN.copy(), TEST.copy()
        train[::7, 0] = test[:50, 1] = np.nan
        assert np.isfinite(cls(smoothing_span=span).fit(train).decision_function(test)).all()

    def test_a_list_is_scored_series_by_series(self, cls, span):
        baseline = cls(smoothing_span=span).fit([TRAIN[:800], TRAIN[800:]])
        apart = [baseline.decision_function(part) for part in (TEST[:400], TEST[400:])]
        together = baseline.decision_function([TEST[:400], TEST[400:]])
        np.testing.assert_array_equal(together, np.concatenate(apart))

    def test_scoring_learns_nothing(self, cls, span):
        baseline = cls(smoothing_span=span).fit(TRAIN)
        first, threshold = baseline.decision_function(TEST), baseline.threshold_
        baseline.decision_function(TEST * 100)
        assert baseline.threshold_ == threshold
        np.testing.assert_array_equal(baseline.decision_function(TEST), first)

    def test_a_score_never_looks_ahead(self, cls, span):
        if cls is RandomBaseline:
            pytest.skip("random scores do not look at all")
        baseline = cls(smoothing_span=span).fit(TRAIN)
        changed = TEST.copy()
        changed[300:] += 50
        before, after = baseline.decision_function(TEST), baseline.decision_function(changed)
        np.testing.assert_array_equal(before[:300], after[:300])

    def test_label_tells_of_the_smoothing(self, cls, span):
        assert ("smoothed" in cls(smoothing_span=span).label) == (span > 1)

    @pytest.mark.parametrize(
        "series", [np.zeros(30), np.full((300, 2), np.inf), [], np.zeros((10, 2))]
    )
    def test_input_that_cannot_work_is_refused(self, cls, span, series):
        with pytest.raises(InputError, match="expected"):
            cls(smoothing_span=span).fit(series)

    def test_other_features_and_unfitted_are_refused(self, cls, span):
        with pytest.raises(InputError, match="not fitted"):
            cls(smoothing_span=span).decision_function(TEST)
        with pytest.raises(InputError, match="2 features, expected the 3"):
            cls(smoothing_span=span).fit(TRAIN).decision_function(TEST[:, :2])


@pytest.mark.parametrize("cls", LEARNT)
def test_false_alarms_come_about_as_often_as_promised(cls):
    baseline = cls(false_alarm_rate=0.02).fit(correlated(20_000))
    assert 0.01 < baseline.predict(correlated(20_000, seed=2)).mean() < 0.04


@pytest.mark.parametrize("cls", LEARNT)
def test_smoothed_scores_are_the_smoothed_raw_scores(cls):
    raw = cls().fit(TRAIN).decision_function(TEST)
    smoothed = cls(smoothing_span=5).fit(TRAIN).decision_function(TEST)
    np.testing.assert_allclose(smoothed, CausalSmoother(5).update(raw[:, None])[:, 0])


def test_l2_norm_is_the_mean_squared_clipped_z_score():
    baseline = L2NormBaseline(clip=3.0).fit(TRAIN)
    z_scores = np.clip((TEST - TRAIN.mean(axis=0)) / TRAIN.std(axis=0), -3, 3)
    np.testing.assert_allclose(
        baseline.decision_function(TEST), (z_scores**2).mean(axis=1), rtol=1e-4
    )


def test_pca_error_sees_a_broken_relation_that_the_norm_does_not():
    broken = TEST.copy()
    broken[100:110, 2] = 10.0 - broken[100:110, 2]  # a usual value with the wrong sign
    pca, norm = (
        cls().fit(TRAIN).decision_function(broken) for cls in (PCAErrorBaseline, L2NormBaseline)
    )
    normal = np.r_[0:100, 110:600]
    assert np.median(pca[100:110]) > 20 * np.median(pca[normal])
    assert np.median(norm[100:110]) < 5 * np.median(norm[normal])


def test_pca_error_of_constant_features_is_defined():
    baseline = PCAErrorBaseline().fit(np.ones((300, 2)))
    assert baseline.decision_function(np.array([[1.0, 1.0], [3.0, 1.0]])).tolist() == [0.0, 2.0]


def test_random_scores_are_uniform_and_follow_the_seed():
    scores = RandomBaseline(seed=1).fit(TRAIN).decision_function(np.zeros((5000, 3)))
    assert abs(scores.mean() - 0.5) < 0.02
    assert abs(np.quantile(scores, 0.9) - 0.9) < 0.02
    other = RandomBaseline(seed=2).fit(TRAIN).decision_function(np.zeros((5000, 3)))
    assert abs(np.corrcoef(scores, other)[0, 1]) < 0.05


def test_always_alarm_always_alarms():
    assert AlwaysAlarmBaseline().fit(TRAIN).predict(TEST).all()


def test_table_has_the_floors_first_and_every_learnt_method_twice():
    labels = [baseline.label for baseline in baselines_for(Config(smoothing_span=11))]
    assert labels[0] == "Random" and labels.index("Always alarm") == 2
    assert labels[-4:] == ["L2 norm", "L2 norm, smoothed", "PCA error", "PCA error, smoothed"]
    without = [baseline.label for baseline in baselines_for(Config(smoothing_span=1))]
    assert without == ["Random", "Always alarm", "L2 norm", "PCA error"]


def test_baselines_take_over_the_detectors_settings():
    config = Config(
        clip=4.0, window_size=20, score_stride=10, validation_fraction=0.2, false_alarm_rate=0.01
    )
    for baseline in baselines_for(config):
        assert baseline.clip == 4.0
        assert (baseline.window_size, baseline.validation_fraction) == (20, 0.2)
        assert baseline.false_alarm_rate == 0.01
