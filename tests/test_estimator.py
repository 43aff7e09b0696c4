"""The adapter for scikit-learn: its own checks, its conventions, pipelines, searches, copies."""

import copy
import dataclasses
import io
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from tsad_keras import AnomalyEstimator, Config, ContrastiveGANDetector, InputError
from tsad_keras.config import PRESETS

# The smallest networks there are; scikit-learn's checks fit series of 20 rows.
SMALLEST = {
    "window_size": 4,
    "patch_size": 2,
    "score_stride": 2,
    "hidden_dim": 4,
    "num_heads": 1,
    "intermediate_dim": 4,
    "bottleneck_dim": 4,
    "discriminator_dim": 4,
    "projection_dim": 4,
    "batch_size": 4,
    "epochs": 1,
    "steps_per_epoch": 1,
    "memory_size": 10,
    "burst_span": 5,
    "smoothing_span": 3,
}

# scikit-learn's checks that make no sense for a series, and why; the README names them, too.
EXCLUDED = {
    "check_methods_sample_order_invariance": (
        "the rows of a series are in order: a time step is judged within its window, so other "
        "neighbours give another score"
    ),
    "check_methods_subset_invariance": (
        "it scores single rows and compares them with the whole; a row without its window has no "
        "score (and with `causal=True` another past gives another score)"
    ),
}


@pytest.fixture(autouse=True, scope="module")
def eagerly():
    """Runs tf.functions without tracing them: everything here fits often and trains little."""
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@parametrize_with_checks(
    [AnomalyEstimator(**SMALLEST)], expected_failed_checks=lambda estimator: EXCLUDED
)
@pytest.mark.slow
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def normal(make_series):
    index = pd.date_range("2026-01-01", periods=300, freq="min", tz="UTC")
    return pd.DataFrame(make_series(300), columns=["cpu", "memory", "disk"], index=index)


@pytest.fixture(scope="module")
def faulty(make_series):
    index = pd.date_range("2026-02-01", periods=120, freq="min", tz="UTC")
    frame = pd.DataFrame(make_series(120, seed=1), columns=["cpu", "memory", "disk"], index=index)
    frame.iloc[60:80, 1] += 30
    return frame


@pytest.fixture(scope="module")
def settings(tiny_config):
    return {**tiny_config, "epochs": 1, "steps_per_epoch": 2}


@pytest.fixture(scope="module")
def fitted(settings, normal):
    return AnomalyEstimator(**settings).fit(normal)


@pytest.fixture(scope="module")
def detector(settings, normal):
    return ContrastiveGANDetector(**settings).fit(normal, verbose=False)


def test_the_conventions_are_scikit_learns_and_the_numbers_are_the_detectors(
    fitted, detector, faulty
):
    scores, alarms = detector.decision_function(faulty), detector.predict(faulty)
    assert alarms.sum() not in (0, len(alarms))
    np.testing.assert_array_equal(fitted.score_samples(faulty), -scores)
    np.testing.assert_array_equal(fitted.predict(faulty), np.where(alarms == 1, -1, 1))
    decision = fitted.decision_function(faulty)
    np.testing.assert_allclose(decision, detector.threshold_ - scores, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(decision < 0, alarms == 1)
    for answer in (decision, fitted.predict(faulty), fitted.explain(faulty)):
        pd.testing.assert_index_equal(answer.index, faulty.index)
    pd.testing.assert_frame_equal(fitted.explain(faulty), detector.explain(faulty))


def test_a_score_that_meets_the_threshold_is_an_outlier_as_it_is_an_alarm(
    fitted, faulty, monkeypatch
):
    threshold = fitted.detector_.threshold_
    near = np.array([np.nextafter(threshold, -np.inf), threshold, np.nextafter(threshold, np.inf)])
    monkeypatch.setattr(fitted.detector_, "decision_function", lambda X, causal: near)
    monkeypatch.setattr(fitted, "_checked_for_scores", lambda X: X)
    assert fitted.predict(faulty[:3]).tolist() == [1, -1, -1]
    assert (fitted.decision_function(faulty[:3]) < 0).tolist() == [False, True, True]


def test_causal_needs_no_window_and_has_its_own_threshold(settings, normal, detector, faulty):
    estimator = AnomalyEstimator(**settings, causal=True).fit(normal)
    head = faulty[:3]
    np.testing.assert_array_equal(
        estimator.score_samples(head), -detector.decision_function(head, causal=True)
    )
    alarms = detector.predict(faulty, causal=True)
    np.testing.assert_array_equal(estimator.predict(faulty) == -1, alarms == 1)


def test_every_field_of_config_is_a_parameter_with_its_default():
    parameters = AnomalyEstimator().get_params()
    fields = {field.name: field.default for field in dataclasses.fields(Config)}
    del fields["entity_scaling"]  # a matter of several series
    del fields["max_alarm_rate"]  # a decision that looks at a whole series
    assert parameters == {**fields, "causal": False, "verbose": False}
    for preset in PRESETS:
        found = AnomalyEstimator.from_preset(preset, seed=3).get_params()
        expected = Config.from_preset(preset, seed=3).to_dict()
        assert {name: found[name] for name in fields} == {name: expected[name] for name in fields}
    with pytest.raises(TypeError, match="unexpected argument 'epoch'"):
        AnomalyEstimator(epoch=3)
    with pytest.raises(InputError, match="epochs is 0"):
        AnomalyEstimator(epochs=0).fit(np.zeros((300, 1)))


def test_labels_choose_nothing(fitted, settings, normal, faulty):
    other = AnomalyEstimator(**settings).fit(normal, np.arange(300) % 2)
    assert other.detector_.weights_sha256_ == fitted.detector_.weights_sha256_
    assert other.offset_ == fitted.offset_


def test_a_pipeline_keeps_index_and_columns(settings, normal, faulty):
    scaler = RobustScaler().set_output(transform="pandas")
    pipeline = Pipeline([("scale", scaler), ("detect", AnomalyEstimator(**settings))])
    pipeline.set_params(detect__seed=4).fit(normal)
    assert pipeline[-1].detector_.config.seed == 4
    assert pipeline[-1].feature_names_in_.tolist() == ["cpu", "memory", "disk"]
    assert pipeline.n_features_in_ == 3
    predictions = pipeline.predict(faulty)
    pd.testing.assert_index_equal(predictions.index, faulty.index)
    assert (predictions[60:80] == -1).mean() > 0.5 > (predictions[:40] == -1).mean()
    reasons = pipeline[-1].explain(pipeline[:-1].transform(faulty))
    assert reasons[60:80].sum().idxmax() == "memory"
    with pytest.raises(ValueError, match="same order"):
        pipeline.predict(faulty[["disk", "cpu", "memory"]])


@pytest.mark.slow
def test_folds_in_the_order_of_time_score_and_search(settings, normal, faulty):
    small = {**settings, "steps_per_epoch": 1}
    labels = np.ones(len(normal), int)
    series = normal.to_numpy().copy()
    for start in (200, 270):  # one anomaly in each fold's test part
        series[start : start + 15] += 20
        labels[start : start + 15] = -1  # scikit-learn's word for an outlier
    pipeline = make_pipeline(RobustScaler(), AnomalyEstimator(**small))
    folds = list(TimeSeriesSplit(2, test_size=70).split(series))
    scores = cross_val_score(pipeline, series, labels, cv=folds, scoring="roc_auc")
    assert scores.shape == (2,) and (scores > 0.5).all()
    search = GridSearchCV(
        pipeline,
        {"anomalyestimator__smoothing_span": [1, 5]},
        cv=folds[:1],
        refit=False,
    )
    search.set_params(scoring="roc_auc", error_score="raise").fit(series, labels)
    assert len(search.cv_results_["params"]) == 2


def test_clones_are_unfitted_and_copies_are_fitted(fitted, faulty):
    assert clone(fitted).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "detector_")
    file = io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    for other in (copy.deepcopy(fitted), joblib.load(file)):
        np.testing.assert_array_equal(
            other.decision_function(faulty), fitted.decision_function(faulty)
        )
        assert other.feature_names_in_.tolist() == ["cpu", "memory", "disk"]


def test_missing_values_are_allowed_and_a_series_that_is_too_short_is_told(fitted, faulty):
    gappy = faulty.mask(np.random.default_rng(0).random(faulty.shape) < 0.2)
    assert np.isfinite(fitted.decision_function(gappy)).all()
    with pytest.raises(ValueError, match="a minimum of 20 is required by AnomalyEstimator"):
        fitted.predict(faulty[:19])
    with pytest.raises(ValueError, match="a minimum of 40 is required by AnomalyEstimator"):
        clone(fitted).fit(faulty[:39])


def test_importing_and_constructing_it_loads_no_tensorflow():
    code = (
        "import sys; from tsad_keras import AnomalyEstimator; AnomalyEstimator(epochs=3)\n"
        "sys.exit(', '.join(m for m in ('tensorflow', 'keras') if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
