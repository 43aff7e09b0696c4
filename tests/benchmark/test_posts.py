"""The post-processings: what they are, and which look ahead."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras.benchmark.posts import causal_mean, posts, shared_post, three_scales, two_way_mean
from tsad_keras.smoothing import CausalSmoother

SCORES = np.random.default_rng(0).random(200)


def test_causal_mean_is_that_of_pandas():
    expected = pd.Series(SCORES).ewm(span=11, adjust=False).mean()
    np.testing.assert_allclose(causal_mean(SCORES, 11), expected)


def test_two_way_mean_is_the_causal_one_both_ways():
    forwards = causal_mean(SCORES, 11)
    np.testing.assert_allclose(two_way_mean(SCORES, 11), causal_mean(forwards[::-1], 11)[::-1])


def test_the_shared_one_is_the_detectors():
    expected = CausalSmoother(7).update(SCORES[:, None])[:, 0]
    np.testing.assert_array_equal(posts(7)[shared_post(7)](SCORES, SCORES), expected)


@pytest.mark.parametrize("name", ["raw", "ewma11", "two11", "scales11"])
def test_constants_stay(name):
    np.testing.assert_allclose(posts(11)[name](np.full(50, 3.0), SCORES), 3.0)


@pytest.mark.parametrize("name", list(posts(11)))
def test_shape_and_looking_ahead(name):
    def post(scores):
        return posts(11)[name](scores, SCORES)

    assert post(SCORES).shape == SCORES.shape
    changed = np.concatenate([SCORES[:100], SCORES[100:] + 1])
    is_equal = np.array_equal(post(changed)[:100], post(SCORES)[:100])
    assert is_equal == (name != "two11")


def test_without_a_span_there_is_nothing_to_choose():
    assert list(posts(1)) == ["raw"] == [shared_post(1)]


def test_bursts_show_what_smoothing_hides():
    drifted = 50 * (1 + SCORES)
    drifted[100] *= 3
    smoothed = three_scales(drifted, 11)
    assert smoothed[100] < 2 * smoothed[99]
    gained = posts(11)["burst11"](drifted, SCORES)
    assert gained[100] > gained[99] + 1
    assert int(np.argmax(gained[50:])) == 50  # before that, the new level itself is a burst
