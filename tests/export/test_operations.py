"""The TensorFlow operations against the NumPy functions that they repeat."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras import thresholds
from tsad_keras.export.operations import forward_filled, series_threshold, smoothed
from tsad_keras.scaling import fill_missing
from tsad_keras.smoothing import CausalSmoother

LENGTHS = [1, 2, 3, 5, 31, 32, 33, 49, 50, 51, 100, 333]


def traced(function, static, num_columns):
    """Runs a function with the number of time steps known while tracing, or not."""

    def run(values):
        shape = (None, values.shape[1] if static else None, num_columns)
        if shape not in made:
            spec = tf.TensorSpec(shape, tf.float32)
            made[shape] = tf.function(function).get_concrete_function(spec)
        result = made[shape](tf.constant(values, tf.float32)).numpy()
        assert result.shape == values.shape
        return result

    made = {}
    return run


@pytest.mark.parametrize("static", [True, False])
def test_gaps_are_filled_as_the_scaler_does(static):
    run = traced(forward_filled, static, 4)
    for length in LENGTHS:
        for seed, share in enumerate([0.0, 0.2, 0.9, 1.0]):
            rng = np.random.default_rng(seed)
            values = rng.normal(size=(3, length, 4)).astype(np.float32)
            values[rng.random(values.shape) < share] = np.nan
            expected = np.stack([fill_missing(series) for series in values])
            np.testing.assert_array_equal(run(values), expected)


@pytest.mark.parametrize(
    ("span", "static"), [(1, True), (2, True), (2, False), (11, False), (400, False)]
)
def test_scores_are_smoothed_as_the_detector_does(span, static):
    run = traced(lambda values: smoothed(values, span), static, 3)
    for length in LENGTHS:
        values = np.random.default_rng(length).exponential(10, (2, length, 3)).astype(np.float32)
        expected = np.stack([CausalSmoother(span).update(np.float64(s)) for s in values])
        np.testing.assert_allclose(run(values), expected, rtol=2e-6)


@pytest.mark.parametrize("static", [True, False])
def test_a_batch_of_none(static):
    values = np.zeros((0, 70, 3), np.float32)
    traced(forward_filled, static, 3)(values)
    traced(lambda v: smoothed(v, 11), static, 3)(values)


def test_one_wild_value_does_not_spoil_the_rest():
    values = np.ones((1, 5000, 1), np.float32)
    values[0, 10] = 1e30
    expected = CausalSmoother(11).update(np.float64(values[0]))
    run = traced(lambda v: smoothed(v, 11), False, 1)
    np.testing.assert_allclose(run(values)[0], expected, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.05, 0.1, 1.0])
@pytest.mark.parametrize("length", [3, 999, 1000, 1001, 5000])
def test_series_threshold_is_that_of_numpy(rate, length):
    rng = np.random.default_rng(length)
    scores = rng.gamma(2.0, 1.0, (4, length)).astype(np.float32)
    scores[1] += 9  # all of it moved
    scores[2, : length // 3] += 40  # a third stands out
    scores[3] = 7.0
    found = series_threshold(tf.constant(scores), tf.constant(5.0), rate).numpy()
    expected = [thresholds.series_threshold(row.astype(float), 5.0, rate) for row in scores]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-6)
    assert found.shape == (4, 1)


def test_series_threshold_of_no_series():
    assert series_threshold(tf.zeros((0, 2000)), tf.constant(5.0), 0.1).shape == (0, 1)
