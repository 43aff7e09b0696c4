"""One contract for all baselines, and what each of them is."""

from __future__ import annotations

import functools
import inspect
import random

import numpy as np
import pytest

from tsad_keras.baselines import (
    AlwaysAlarmBaseline,
    CNNForecasterBaseline,
    DenseAutoencoderBaseline,
    IsolationForestBaseline,
    KMeansBaseline,
    KNNBaseline,
    KNNProjectionBaseline,
    L2NormBaseline,
    LSTMAutoencoderBaseline,
    PCAErrorBaseline,
    RandomBaseline,
    TransformerAutoencoderBaseline,
    baselines_for,
)
from tsad_keras.baselines.base import Baseline
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.smoothing import CausalSmoother

FLOORS = [RandomBaseline, AlwaysAlarmBaseline]
LEARNT = [L2NormBaseline, PCAErrorBaseline]
SEARCHING = [KNNBaseline, KNNProjectionBaseline, KMeansBaseline, IsolationForestBaseline]
NEURAL = [
    DenseAutoencoderBaseline,
    LSTMAutoencoderBaseline,
    TransformerAutoencoderBaseline,
    CNNForecasterBaseline,
]
ALL = [*FLOORS, *LEARNT, *SEARCHING, *NEURAL]
TINY = {"window_size": 20, "score_stride": 10, "epochs": 2, "steps_per_epoch": 5, "batch_size": 8}
SMALL = {
    **dict.fromkeys(NEURAL, TINY),
    TransformerAutoencoderBaseline: {
        **TINY,
        "hidden_dim": 8,
        "num_heads": 2,
        "intermediate_dim": 8,
    },
}


def correlated(num_timesteps: int, seed: int = 0) -> np.ndarray:
    """Three features driven by one, `(num_timesteps, 3)`."""
    random = np.random.default_rng(seed)
    driver = random.normal(size=(num_timesteps, 1))
    return 5.0 + driver @ [[1.0, 2.0, -1.0]] + 0.05 * random.normal(size=(num_timesteps, 3))


def with_gaps(series: np.ndarray) -> np.ndarray:
    gappy = series.copy()
    gappy[::7, 0] = gappy[:50, 1] = np.nan
    return gappy


TRAIN = correlated(1500)
TEST = correlated(600, seed=1)


def make(cls: type[Baseline], **settings) -> Baseline:
    return cls(**{**SMALL.get(cls, {}), **settings})


@functools.cache
def fitted(cls: type[Baseline], span: int) -> Baseline:
    """Learnt from two series with gaps; scoring must not change it."""
    return make(cls, smoothing_span=span).fit([with_gaps(TRAIN[:800]), TRAIN[800:]])


@pytest.mark.parametrize(
    ("cls", "span"),
    [(cls, span) for cls in ALL for span in ([1, 11] if cls in FLOORS + LEARNT else [5])],
)
class TestContract:
    def test_one_finite_score_and_one_decision_a_time_step(self, cls, span):
        baseline = fitted(cls, span)
        scores, alarms = baseline.decision_function(TEST), baseline.predict(TEST)
        assert scores.shape == alarms.shape == (len(TEST),)
        assert np.isfinite(scores).all()
        np.testing.assert_array_equal(alarms, (scores >= baseline.threshold_).astype(int))

    def test_missing_values_get_a_score(self, cls, span):
        assert np.isfinite(fitted(cls, span).decision_function(with_gaps(TEST))).all()

    def test_a_list_is_scored_series_by_series(self, cls, span):
        baseline = fitted(cls, span)
        apart = [baseline.decision_function(part) for part in (TEST[:400], TEST[400:])]
        together = baseline.decision_function([TEST[:400], TEST[400:]])
        np.testing.assert_array_equal(together, np.concatenate(apart))

    def test_scoring_learns_nothing(self, cls, span):
        baseline = fitted(cls, span)
        first, threshold = baseline.decision_function(TEST), baseline.threshold_
        baseline.decision_function(TEST * 100)
        assert baseline.threshold_ == threshold
        np.testing.assert_array_equal(baseline.decision_function(TEST), first)

    def test_a_score_looks_ahead_only_where_that_is_said(self, cls, span):
        baseline, changed = fitted(cls, span), TEST.copy()
        changed[300:] += 50
        before, after = baseline.decision_function(TEST), baseline.decision_function(changed)
        seen = 300 if not cls.looks_ahead else 300 - 20  # no window here is longer than 20
        np.testing.assert_allclose(before[:seen], after[:seen], rtol=1e-5)
        assert cls.looks_ahead == (not np.allclose(before[:300], after[:300], rtol=1e-5))

    def test_an_obvious_burst_is_found(self, cls, span):
        if cls in FLOORS:
            pytest.skip("a floor finds nothing")
        burst = TEST.copy()
        burst[300:310] += 100.0
        assert 280 <= np.argmax(fitted(cls, span).decision_function(burst)) <= 330

    def test_scores_are_the_smoothed_combination_of_outputs(self, cls, span):
        baseline = fitted(cls, span)
        (outputs,) = baseline.point_outputs(TEST)
        raw = baseline.combine(outputs)
        expected = CausalSmoother(span).update(raw[:, None])[:, 0]
        np.testing.assert_allclose(baseline.decision_function(TEST), expected)

    def test_validation_outputs_give_the_threshold(self, cls, span):
        baseline = fitted(cls, span)
        assert [len(part) for part in baseline.validation_outputs_] == [
            max(80, baseline.window_size),
            max(70, baseline.window_size),
        ]
        scores = [
            CausalSmoother(span).update(baseline.combine(outputs)[:, None])[:, 0]
            for outputs in baseline.validation_outputs_
        ]
        assert baseline.choose_threshold(np.concatenate(scores)) == baseline.threshold_

    def test_label_tells_of_the_smoothing(self, cls, span):
        assert cls.name
        assert ("smoothed" in cls(smoothing_span=span).label) == (span > 1)

    @pytest.mark.parametrize(
        "series", [np.zeros(30), np.full((300, 2), np.inf), [], np.zeros((10, 2))]
    )
    def test_input_that_cannot_work_is_refused(self, cls, span, series):
        with pytest.raises(InputError, match="expected"):
            make(cls, smoothing_span=span).fit(series)

    def test_other_features_and_unfitted_are_refused(self, cls, span):
        with pytest.raises(InputError, match="not fitted"):
            cls(smoothing_span=span).decision_function(TEST)
        with pytest.raises(InputError, match="2 features, expected the 3"):
            fitted(cls, span).decision_function(TEST[:, :2])

    def test_there_is_no_way_in_for_labels(self, cls, span):
        for verb in (cls.fit, cls.decision_function, cls.predict):
            assert list(inspect.signature(verb).parameters) == ["self", "X"]


@pytest.mark.parametrize("cls", [cls for cls in ALL if cls.is_random])
def test_scores_follow_the_seed_alone_and_leave_no_trace(cls):
    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    settings = {"epochs": 1, "steps_per_epoch": 1} if cls in NEURAL else {}
    one, same, other = (
        make(cls, seed=seed, **settings).fit(TRAIN[:300]).decision_function(TEST[:100])
        for seed in (3, 3, 4)
    )
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states  # noqa: NPY002
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


@pytest.mark.parametrize("cls", [KNNProjectionBaseline, KMeansBaseline])
def test_a_series_shorter_than_a_pattern_is_refused(cls):
    with pytest.raises(InputError, match="expected at least window_size"):
        fitted(cls, 5).decision_function(TEST[:19])


def test_the_mean_distance_to_neighbours_is_that_of_brute_force():
    baseline = KNNBaseline(num_neighbours=3).fit(TRAIN)
    rows = baseline.scaler_.transform(TRAIN).astype(float)
    query = baseline.scaler_.transform(TEST[:5]).astype(float)
    distances = np.sqrt(((query[:, None] - rows[None]) ** 2).sum(axis=2))
    expected = np.sort(distances, axis=1)[:, :3].mean(axis=1)
    np.testing.assert_allclose(baseline.decision_function(TEST[:5]), expected, rtol=1e-3, atol=1e-4)


def test_at_most_so_many_training_rows_are_searched():
    baseline = KNNBaseline(max_train_rows=100).fit(TRAIN)
    assert baseline.neighbours_._search.n_samples_fit_ == 100


def test_patterns_see_an_order_that_rows_do_not():
    time = np.arange(3000)
    train = np.stack([np.sin(time / 3), np.cos(time / 3)], axis=1)
    test = train[:600].copy()
    test[300:340] = test[300:340][::-1]  # usual rows, the wrong way round
    inside, outside = slice(315, 325), np.r_[40:260, 380:560]
    for cls in (KNNProjectionBaseline, KMeansBaseline):
        scores = cls().fit(train).decision_function(test)
        assert scores[inside].min() > scores[outside].max()
    rows = KNNBaseline().fit(train).decision_function(test)
    assert rows[inside].max() < 0.1


@pytest.mark.parametrize("cls", [PCAErrorBaseline, DenseAutoencoderBaseline])
def test_calibration_divides_errors_by_those_on_train(cls):
    baseline = fitted(cls, 1)
    (outputs,) = baseline.point_outputs(TEST)
    expected = (outputs / baseline.error_scale_).mean(axis=1)
    np.testing.assert_allclose(baseline.combine(outputs, calibrate=True), expected)
    np.testing.assert_allclose(baseline.combine(outputs), outputs.mean(axis=1))
    baseline = make(cls, calibrate=True).fit(TRAIN[:500])
    assert 0.5 < baseline.decision_function(TRAIN[:500]).mean() < 2.0


def test_training_stops_when_validation_does_not_improve_and_keeps_the_best_weights():
    settings = {**TINY, "epochs": 60, "patience": 1, "learning_rate": 0.5}
    baseline = DenseAutoencoderBaseline(**settings).fit(TRAIN[:500])
    assert baseline.best_epoch_ < 59


@pytest.mark.parametrize("cls", NEURAL)
def test_the_networks_learn(cls):
    time = np.arange(600.0)[:, None]
    series = np.sin(time / 4 + np.arange(3))
    baseline = make(cls, learning_rate=5e-3, epochs=4, steps_per_epoch=20).fit(series)
    assert baseline.decision_function(series[100:]).mean() < 0.8  # 1 = the mean as a guess


def test_forests_trees_and_clusters_are_as_many_as_asked_for():
    forest = IsolationForestBaseline(num_trees=7).fit(TRAIN)
    assert len(forest.forest_.estimators_) == 7
    assert KMeansBaseline(num_clusters=4).fit(TRAIN).clusters_.n_clusters == 4
    constant = np.ones((300, 2))
    constant[:5] = 2.0
    assert np.isfinite(KMeansBaseline().fit(constant).decision_function(constant)).all()


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


def test_calibration_is_by_pieces_of_the_training_part():
    series = np.random.default_rng(0).normal(size=(1000, 3))
    series[200:230, 0] *= 9  # restless once
    fitted = PCAErrorBaseline(0.3, calibrate=True).fit(series)
    (outputs,) = fitted.point_outputs(series)  # it learns from all rows in the end
    pieces = outputs.reshape(10, 100, 3).mean(axis=1)
    np.testing.assert_allclose(fitted.error_scale_, np.sqrt(pieces).mean(axis=0) ** 2)
    assert fitted.error_scale_[0] < 0.8 * pieces.mean(axis=0)[0]
    network = make(DenseAutoencoderBaseline, calibrate=True).fit(series)
    (outputs,) = network.point_outputs(series[:900])
    share = network.error_scale_ / outputs.mean(axis=0)
    assert share[0] < 0.7 < share[1:].min()


def test_calibrated_errors_of_flags_count_their_weight():
    random = np.random.default_rng(0)
    series = np.column_stack([random.normal(size=(900, 2)), random.integers(0, 2, 900)])
    fitted = PCAErrorBaseline(0.3, calibrate=True, flag_weight=0.01).fit(series)
    assert fitted.scaler_.weight_.tolist() == [1, 1, 0.01]
    (outputs,) = fitted.point_outputs(series)
    means = (outputs / fitted.error_scale_).mean(axis=0)
    np.testing.assert_allclose(means[2] / means[1], 0.01, rtol=0.05)
