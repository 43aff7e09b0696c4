"""Forecasts of each feature from its own last rows: fit, both directions, degenerate series."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.models.autoregression import NOISE, Autoregression, fit_autoregression


def simulated(coefficients, num_timesteps, seed=0, intercept=0.0):
    """A series of one feature with these coefficients (nearest row first) and unit noise."""
    order = len(coefficients)
    values = np.zeros(num_timesteps + order)
    noise = np.random.default_rng(seed).normal(size=len(values))
    for t in range(order, len(values)):
        values[t] = intercept + np.dot(coefficients, values[t - order : t][::-1]) + noise[t]
    return values[order:, None].astype(np.float32)


def errors_of(autoregression, values):
    errors = autoregression.squared_errors(tf.constant(values[None], tf.float32)).numpy()[0]
    assert errors.min() >= np.float32(NOISE)
    return errors - np.float32(NOISE)


def test_the_fit_finds_the_coefficients_of_each_feature():
    truth = ([0.6, 0.2], [-0.5, 0.3])
    series = np.hstack([simulated(c, 20_000, seed, intercept=seed) for seed, c in enumerate(truth)])
    found = fit_autoregression([series], 2)
    assert found.order == 2
    np.testing.assert_allclose(found.coefficients.T, truth, atol=0.03)
    np.testing.assert_allclose(found.intercepts, [0, 1], atol=0.08)


def test_it_is_the_ridge_regression_of_scikit_learn():
    from sklearn.linear_model import Ridge

    series = [simulated([0.5, 0.1, 0.2], length, seed) for seed, length in enumerate((300, 9000))]
    found = fit_autoregression(series, 3)
    columns = [
        np.hstack([values[3 - lag : len(values) - lag] for lag in (1, 2, 3)]) for values in series
    ]
    lagged, targets = np.vstack(columns), np.vstack([values[3:] for values in series])
    ridge = Ridge(alpha=1e-3 * len(lagged)).fit(lagged, targets[:, 0])
    # Ridge centres what it is given; with means near 0 that is nearly the same.
    np.testing.assert_allclose(found.coefficients[:, 0], ridge.coef_, atol=1e-4)
    np.testing.assert_allclose(found.intercepts, ridge.intercept_, atol=1e-4)


def test_errors_are_those_of_the_forecast_and_at_the_start_of_the_backward_one():
    autoregression = Autoregression(
        np.array([[0.5, 1.0], [0.25, 0.0]], np.float32), np.array([0.1, -1.0], np.float32)
    )
    values = np.random.default_rng(0).normal(size=(9, 2))
    found = errors_of(autoregression, values)
    for t in range(9):
        near, far = (values[t + 1], values[t + 2]) if t < 2 else (values[t - 1], values[t - 2])
        forecast = [0.5 * near[0] + 0.25 * far[0] + 0.1, near[1] - 1.0]
        np.testing.assert_allclose(found[t], (values[t] - forecast) ** 2, rtol=1e-4, atol=1e-6)


def test_backwards_is_as_good_as_forwards():
    values = simulated([0.7, -0.3], 6000)
    autoregression = fit_autoregression([values], 2)
    windows = values.reshape(-1, 6, 1)
    errors = autoregression.squared_errors(tf.constant(windows)).numpy().mean(axis=(0, 2))
    np.testing.assert_allclose(errors, 1.0 + NOISE, atol=0.12)


def test_a_shortest_window_has_all_its_forecasts():
    autoregression = fit_autoregression([simulated([0.5] * 1, 50)], 1)
    assert errors_of(autoregression, np.ones((2, 1))).shape == (2, 1)


def test_constant_features_get_a_forecast_of_themselves():
    values = np.hstack([np.zeros((100, 1)), simulated([0.5], 100)]).astype(np.float32)
    autoregression = fit_autoregression([values], 3)
    assert np.isfinite(autoregression.coefficients).all()
    assert errors_of(autoregression, values)[:, 0].max() == 0
    moved = values.copy()
    moved[50:, 0] = 2.0
    np.testing.assert_allclose(errors_of(autoregression, moved)[50:, 0], 4.0, rtol=1e-5)


def test_series_are_not_joined():
    rising, falling = np.arange(200.0)[:, None], np.arange(200.0)[::-1, None] + 5000
    scale = np.float32(1 / 2500)
    series = [(part * scale).astype(np.float32) for part in (rising, falling)]
    found = fit_autoregression(series, 1)
    # Across the border a row of 199 would be followed by one of 5199.
    errors = np.concatenate([errors_of(found, values)[1:] for values in series])
    assert errors.max() < 1e-4


def test_pieces_of_the_fit_change_nothing(monkeypatch):
    from tsad_keras.models import autoregression as module

    series = [np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)]
    whole = fit_autoregression(series, 3)
    monkeypatch.setattr(module, "_NUMBERS", 7 * 5 * 3)
    pieces = fit_autoregression(series, 3)
    np.testing.assert_allclose(pieces.coefficients, whole.coefficients, atol=1e-6)
    np.testing.assert_allclose(pieces.intercepts, whole.intercepts, atol=1e-6)


@pytest.mark.parametrize("order", [1, 4])
def test_a_jump_stands_out_as_no_level_does(order):
    values = np.repeat(simulated([0.9], 40), 25, axis=0) / 3  # steps of 25 rows
    autoregression = fit_autoregression([values], order)
    smooth = np.sin(np.arange(100) / 15)[:, None]
    jumpy = np.where(np.arange(100) % 2, 0.5, -0.5)[:, None]
    assert errors_of(autoregression, jumpy).mean() > 20 * errors_of(autoregression, smooth).mean()


def test_rounding_of_what_is_foretold_exactly_does_not_count():
    values = np.sin(np.arange(3000) / 9)[:, None].astype(np.float32)
    autoregression = fit_autoregression([values], 3)
    window = tf.constant(values[None, :100])
    nudged = tf.constant(np.nextafter(values[None, :100], np.float32(np.inf)))
    errors = [autoregression.squared_errors(one).numpy() for one in (window, nudged)]
    np.testing.assert_allclose(errors[1], errors[0], rtol=1e-5)
