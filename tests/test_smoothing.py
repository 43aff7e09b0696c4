"""The smoother: against pandas, in pieces, causal, saved and restored."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras.smoothing import CausalSmoother, two_sided_kernel


def random_pieces(series, rng):
    cuts = np.sort(rng.integers(0, len(series) + 1, rng.integers(0, 12)))
    return np.split(series, cuts)


@pytest.mark.parametrize("span", [2, 5, 40])
def test_smoother_is_the_mean_of_three_scales_as_pandas_has_them(span):
    values = np.random.default_rng(0).normal(size=(500, 3))
    frame = pd.DataFrame(values)
    scales = [frame.ewm(span=scale, adjust=False).mean() for scale in (1, span, 4 * span)]
    expected = (sum(scales) / 3).to_numpy()
    np.testing.assert_allclose(CausalSmoother(span).update(values), expected, rtol=1e-9, atol=1e-12)


def test_span_one_leaves_values_as_they_are():
    values = np.random.default_rng(0).normal(size=(50, 3))
    assert CausalSmoother(1).update(values).tobytes() == values.tobytes()


@pytest.mark.parametrize("span", [1, 7])
def test_smoother_in_pieces_equals_the_whole_bit_for_bit(span):
    values, rng = np.random.default_rng(0).normal(size=(300, 3)), np.random.default_rng(1)
    whole = CausalSmoother(span).update(values)
    for _ in range(10):
        smoother = CausalSmoother(span)
        parts = [smoother.update(piece) for piece in random_pieces(values, rng)]
        assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_smoother_is_causal():
    values = np.random.default_rng(0).normal(size=(100, 2))
    changed = values.copy()
    changed[60:] += 100
    before, after = (CausalSmoother(9).update(v) for v in (values, changed))
    assert before[:60].tobytes() == after[:60].tobytes()
    assert (before[60:] != after[60:]).all()


@pytest.mark.parametrize("span", [1, 7])
def test_a_restored_smoother_goes_on_where_it_was(span):
    values = np.random.default_rng(0).normal(size=(60, 3))
    whole = CausalSmoother(span).update(values)
    state, parts = CausalSmoother(span).get_state(), []
    for piece in np.split(values, [0, 5, 40]):
        smoother = CausalSmoother(span)
        smoother.set_state(state)
        parts.append(smoother.update(piece))
        state = smoother.get_state()
    assert np.concatenate(parts).tobytes() == whole.tobytes()


def test_the_two_sided_kernel_is_a_mean_both_ways_and_one_sided_at_the_end():
    kernel = two_sided_kernel(400, 11).astype(float)
    np.testing.assert_allclose(kernel.sum(axis=1), 1, rtol=1e-5)
    values = np.random.default_rng(0).random((400, 1))
    alpha = 2 / 12
    forwards = values.copy()
    for _ in range(2):  # an exponentially weighted mean forwards, then backwards
        for index in range(1, 400):
            forwards[index] = alpha * forwards[index] + (1 - alpha) * forwards[index - 1]
        forwards = forwards[::-1].copy()
    np.testing.assert_allclose((kernel @ values)[150:250], forwards[150:250], rtol=1e-5)
    past = (1 - alpha) ** np.arange(400)[::-1]
    np.testing.assert_allclose(kernel[-1], past / past.sum(), rtol=1e-4)


def test_a_span_of_one_smooths_nothing():
    np.testing.assert_array_equal(two_sided_kernel(5, 1), np.eye(5))
