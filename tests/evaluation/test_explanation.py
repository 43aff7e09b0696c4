"""Metrics of explanations: against the definitions by hand and by brute force over orders."""

import itertools

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.evaluation import hit_rate_score, ndcg_score, segment_contributions


def by_hand(labels, order, *, count, k):
    """Hits among the first `count` divided by g, and NDCG@k, of one order without ties."""
    ranked = [labels[index] for index in order]
    true_count = sum(labels)
    gain = sum(flag / np.log2(rank + 1) for rank, flag in enumerate(ranked[:k], start=1))
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(true_count, k, len(labels)) + 1))
    return sum(ranked[:count]) / true_count, gain / ideal


@pytest.mark.parametrize("percent", [50.0, 100.0, 150.0])
@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_as_defined(percent, k):
    rng = np.random.default_rng(int(percent) + k)
    labels = rng.random((20, 7)) < 0.4
    labels[:, 0] |= ~labels.any(axis=1)
    values = rng.random((20, 7))
    expected = [
        by_hand(flags, np.argsort(-row), count=int(percent * flags.sum() // 100), k=k)
        for flags, row in zip(labels.astype(int), values, strict=True)
    ]
    hits, gains = np.mean(expected, axis=0)
    assert hit_rate_score(labels, values, percent) == pytest.approx(hits)
    assert ndcg_score(labels, values, k) == pytest.approx(gains)


def test_ties_are_the_mean_over_their_orders():
    labels, values = [1, 0, 0, 1, 0], np.array([2.0, 2.0, 1.0, 1.0, 1.0])
    orders = [(*a, *b) for a in itertools.permutations((0, 1)) for b in
              itertools.permutations((2, 3, 4))]  # fmt: skip
    hits, gains = np.mean([by_hand(labels, order, count=2, k=3) for order in orders], axis=0)
    assert hit_rate_score([labels], [values]) == pytest.approx(hits)
    assert ndcg_score([labels], [values], 3) == pytest.approx(gains)


def test_equal_contributions_have_the_value_of_random_order():
    rng = np.random.default_rng(0)
    labels = np.arange(12) < np.array([[1], [4], [9]])
    drawn = rng.random((4000, 3, 12))
    for metric in (hit_rate_score, ndcg_score):
        mean = np.mean([metric(labels, values) for values in drawn])
        assert metric(labels, np.ones((3, 12))) == pytest.approx(mean, abs=0.01)
    assert hit_rate_score(labels, np.ones((3, 12))) == pytest.approx(np.mean([1, 4, 9]) / 12)


def test_best_and_worst():
    labels = np.array([[1, 1, 0, 0, 0, 0], [0, 0, 0, 1, 0, 0]])
    assert hit_rate_score(labels, labels) == ndcg_score(labels, labels) == 1.0
    assert hit_rate_score(labels, -labels) == ndcg_score(labels, -labels, k=3) == 0.0
    assert type(hit_rate_score(labels, labels)) is type(ndcg_score(labels, labels)) is float


def test_every_segment_counts_the_same_and_order_matters_to_ndcg():
    labels = [[1, 0, 0], [1, 0, 0]]
    assert hit_rate_score(labels, [[9, 1, 0], [0, 1, 2]]) == 0.5
    assert ndcg_score([[0, 1, 0]], [[9, 1, 0]]) == pytest.approx(1 / np.log2(3))


def test_ndcg_at_percent_cuts_each_segment_by_its_own_count():
    labels = [[1, 0, 0, 0], [1, 1, 0, 0]]
    values = [[1, 2, 0, 0], [1, 0, 2, 0]]
    first, second = (ndcg_score(labels[i : i + 1], values[i : i + 1], k=i + 1) for i in (0, 1))
    assert ndcg_score(labels, values, percent=100) == pytest.approx((first + second) / 2)
    assert ndcg_score(labels[:1], labels[:1], percent=10) == 1.0  # at least the first rank


def test_segments_are_means_over_their_steps():
    contributions = np.arange(12.0).reshape(6, 2)
    means = segment_contributions([(0, 1), (2, 6)], contributions)
    assert means.tolist() == [[0, 1], [7, 8]]


@pytest.mark.parametrize("metric", [hit_rate_score, ndcg_score])
@pytest.mark.parametrize(
    ("labels", "values", "message"),
    [
        ([[1, 0]], [[1, 2, 3]], r"shape \(1, 2\) and contributions \(1, 3\), expected the same"),
        ([[1, 0], [0, 0]], [[1, 2], [1, 2]], "segment 1 .* touches no feature"),
        ([[0.3, 0.7]], [[1, 0]], "feature_labels hold 2 values other than 0 and 1"),
        ([[1, 0]], [[1, np.nan]], "contributions hold 1 NaN or infinite"),
        ([1, 0], [1, 0], r"feature_labels have dtype int64 and shape \(2,\)"),
        ([], [], "feature_labels have .* not empty"),
        ([["a", "b"]], [[1, 0]], "feature_labels have dtype"),
        ([[1], [1, 0]], [[1, 0]], "cannot be read as an array|dtype object"),
    ],
)
def test_unusable_input(metric, labels, values, message):
    with pytest.raises(InputError, match=message):
        metric(labels, values)


@pytest.mark.parametrize("percent", [0, -1, np.nan, np.inf, "100", True, None])
def test_unusable_percent(percent):
    with pytest.raises(InputError, match="percent is .* expected a number above 0"):
        hit_rate_score([[1, 0]], [[1, 0]], percent)


@pytest.mark.parametrize("k", [0, -1, 2.0, True, None])
def test_unusable_k(k):
    with pytest.raises(InputError, match="k is .* expected an integer of at least 1"):
        ndcg_score([[1, 0]], [[1, 0]], k)


@pytest.mark.parametrize("event", [(2, 2), (3, 1), (-1, 2), (2, 5)])
def test_segments_lie_inside(event):
    with pytest.raises(InputError, match="segment 1 reaches from row"):
        segment_contributions([(0, 1), event], np.ones((4, 2)))


@pytest.mark.parametrize("events", [[(0, 1, 2)], [(0, 1.5)]])
def test_segments_are_pairs_of_whole_numbers(events):
    with pytest.raises(InputError, match="expected whole numbers"):
        segment_contributions(events, np.ones((4, 2)))
