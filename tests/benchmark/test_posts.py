"""The post-processings: what they are, and which look ahead."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras.benchmark.posts import causal_mean, posts, shared_post, two_way_mean
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
    np.testing.assert_array_equal(posts(7)[shared_post(7)](SCORES), expected)


@pytest.mark.parametrize("name", ["raw", "ewma11", "two11", "scales11"])
def test_shape_constants_and_looking_ahead(name):
    post = posts(11)[name]
    assert post(SCORES).shape == SCORES.shape
    np.testing.assert_allclose(post(np.full(50, 3.0)), 3.0)
    changed = np.concatenate([SCORES[:100], SCORES[100:] + 1])
    is_equal = np.array_equal(post(changed)[:100], post(SCORES)[:100])
    assert is_equal == (name != "two11")


def test_without_a_span_there_is_nothing_to_choose():
    assert list(posts(1)) == ["raw"] == [shared_post(1)]
