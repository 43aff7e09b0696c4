"""Windows to points, combination, smoothing: against the definition, in pieces of any size."""

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.errors import InputError
from tsad_keras.scoring import (
    CausalPointScorer,
    PointScorer,
    combine_scores,
    iterate_points,
    score_points,
)
from tsad_keras.windows import window_starts

WINDOW = 12


def position_dependent(windows):
    """Depends on the value, its place in the window, and the window as a whole; two outputs."""
    place = np.arange(windows.shape[1])[None, :, None]
    values = windows.astype(float).sum(axis=2, keepdims=True) * (1 + place)
    return np.concatenate([values, values * 0 + windows.mean(axis=(1, 2), keepdims=True)], axis=2)


def naive_average(series, stride, function=position_dependent):
    sums, counts = 0.0, np.zeros(len(series))
    sums = np.zeros((len(series), 2))
    for start in window_starts(len(series), WINDOW, stride):
        window = np.float32(series[start : start + WINDOW])
        sums[start : start + WINDOW] += function(window[None])[0]
        counts[start : start + WINDOW] += 1
    return sums / counts[:, None]


def make_scaled(num_timesteps, num_features=3):
    return np.random.default_rng(num_timesteps).normal(size=(num_timesteps, num_features))


def make_scorer(function=position_dependent, stride=5, batch_size=4):
    return PointScorer(function, window_size=WINDOW, stride=stride, batch_size=batch_size)


@pytest.mark.parametrize("num_timesteps", [12, 13, 24, 29, 100, 101, 163])
@pytest.mark.parametrize("stride", [1, 5, 12])
@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_equals_the_mean_over_all_covering_windows(num_timesteps, stride, batch_size):
    series = make_scaled(num_timesteps)
    points = score_points(
        series, position_dependent, window_size=WINDOW, stride=stride, batch_size=batch_size
    )
    np.testing.assert_allclose(points, naive_average(series, stride), rtol=1e-12)


def random_pieces(series, rng):
    cuts = np.sort(rng.integers(0, len(series) + 1, rng.integers(0, 12)))
    return np.split(series, cuts)


def network():
    """A float32 network whose last bits depend on the batch it runs in, as real ones do."""
    rng = np.random.default_rng(0)
    first = tf.constant(rng.normal(size=(WINDOW * 3, 64)), tf.float32)
    second = tf.constant(rng.normal(size=(64, WINDOW * 2)), tf.float32)

    @tf.function
    def graph(windows):
        hidden = tf.tanh(tf.reshape(windows, [-1, WINDOW * 3]) @ first)
        return tf.reshape(hidden @ second, [-1, WINDOW, 2])

    return lambda windows: graph(tf.constant(windows)).numpy()


def test_result_does_not_depend_on_the_pieces_not_even_in_the_last_bit():
    series, rng, function = make_scaled(333), np.random.default_rng(1), network()
    whole = np.concatenate(list(iterate_points(make_scorer(function), [series])))
    assert whole.shape == (333, 2)
    for _ in range(20):
        pieces = random_pieces(series, rng)
        parts = list(iterate_points(make_scorer(function), pieces))
        assert np.concatenate(parts).tobytes() == whole.tobytes()
    rows = list(iterate_points(make_scorer(function), np.split(series, len(series))))
    assert np.concatenate(rows).tobytes() == whole.tobytes()


def test_every_call_of_the_function_has_the_same_shape():
    shapes = set()

    def function(windows):
        shapes.add((windows.shape, windows.dtype))
        return position_dependent(windows)

    for num_timesteps in (12, 40, 163):
        list(iterate_points(make_scorer(function), [make_scaled(num_timesteps)]))
    assert shapes == {((4, WINDOW, 3), np.dtype("float32"))}


def test_values_come_as_soon_as_they_are_final_and_buffers_stay_small():
    series, scorer = make_scaled(2000), make_scorer()
    returned = 0
    for seen in range(0, 2000, 10):
        returned += len(scorer.update(series[seen : seen + 10]))
        # A batch of windows spans 5 * 3 + 12 rows; the next may be incomplete by as much.
        assert seen + 10 - returned <= 2 * (5 * 3 + WINDOW) + 10
        assert len(scorer._rows) <= 2 * (5 * 3 + WINDOW) + 10
    assert returned + len(scorer.finish()) == 2000


def test_without_waiting_values_come_one_window_later_and_are_the_same():
    series = make_scaled(163)
    whole = naive_average(series, 5)
    scorer = PointScorer(
        position_dependent, window_size=WINDOW, stride=5, batch_size=4, wait_for_batch=False
    )
    parts = []
    for seen, row in enumerate(series, start=1):
        parts.append(scorer.update(row[None]))
        assert sum(map(len, parts)) == max(0, seen - WINDOW)
        other = PointScorer(
            position_dependent, window_size=WINDOW, stride=5, batch_size=4, wait_for_batch=False
        )
        other.set_state(scorer.get_state())
        scorer = other
    joined = np.concatenate([part for part in [*parts, scorer.finish()] if len(part)])
    np.testing.assert_allclose(joined, whole, rtol=1e-12)


@pytest.mark.parametrize("num_timesteps", [1, 5, 12, 40])
@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_causal_values_are_those_of_the_window_that_ends_there(num_timesteps, batch_size):
    series = make_scaled(num_timesteps)
    padded = np.concatenate([np.repeat(series[:1], WINDOW - 1, axis=0), series])
    windows = np.float32([padded[row : row + WINDOW] for row in range(num_timesteps)])
    expected = position_dependent(windows)[:, -1]
    rng = np.random.default_rng(0)
    for pieces in ([series], random_pieces(series, rng), np.split(series, num_timesteps)):
        scorer = CausalPointScorer(position_dependent, window_size=WINDOW, batch_size=batch_size)
        parts = list(iterate_points(scorer, pieces))
        np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-12)


def test_causal_values_do_not_change_with_what_comes_later():
    series = make_scaled(60)
    changed = series.copy()
    changed[40:] += 100
    values = [
        CausalPointScorer(position_dependent, window_size=WINDOW, batch_size=8).update(each)
        for each in (series, changed)
    ]
    assert values[0][:40].tobytes() == values[1][:40].tobytes()


def test_a_series_shorter_than_a_window_is_an_input_error():
    for pieces in ([make_scaled(11)], [make_scaled(5), make_scaled(6)], [np.zeros((0, 3))], []):
        with pytest.raises(InputError, match="expected at least window_size"):
            list(iterate_points(make_scorer(), pieces))


@pytest.fixture
def parts():
    rng = np.random.default_rng(3)
    errors = rng.exponential(size=(50, 4))
    errors[7] = 0  # a step that is reconstructed perfectly
    return errors, rng.random(50), np.array([0.5, 1.0, 2.0, 8.0])


def test_contributions_sum_to_the_score_in_every_mode(parts):
    errors, realism, scale = parts
    reconstruction = (errors / scale).mean(axis=1)
    expected = {
        "reconstruction": reconstruction,
        "realism": realism,
        "combined": reconstruction + 0.7 * realism,
    }
    for mode, score in expected.items():
        contributions = combine_scores(
            errors, realism, score_mode=mode, error_scale=scale, realism_weight=0.7
        )
        assert contributions.shape == errors.shape
        assert (contributions >= 0).all()
        np.testing.assert_allclose(contributions.sum(axis=1), score, rtol=1e-12)


def test_realism_is_shared_out_like_the_errors_and_evenly_without_any(parts):
    errors, realism, scale = parts
    contributions = combine_scores(errors, realism, score_mode="realism", error_scale=scale)
    weighted = errors / scale
    np.testing.assert_allclose(
        contributions[0] / contributions[0].sum(), weighted[0] / weighted[0].sum()
    )
    np.testing.assert_allclose(contributions[7], realism[7] / 4)


def test_a_noisy_feature_does_not_drown_the_rest_after_calibration():
    errors = np.array([[100.0, 1.0], [100.0, 9.0]])
    calibrated = combine_scores(
        errors, None, score_mode="reconstruction", error_scale=np.array([100.0, 1.0])
    )
    np.testing.assert_allclose(calibrated, [[0.5, 0.5], [0.5, 4.5]])


def test_unknown_mode_and_missing_realism_raise(parts):
    errors, realism, scale = parts
    with pytest.raises(ValueError, match="score_mode is 'both'"):
        combine_scores(errors, realism, score_mode="both", error_scale=scale)
    with pytest.raises(ValueError, match="'combined' needs realism"):
        combine_scores(errors, None, score_mode="combined", error_scale=scale)
