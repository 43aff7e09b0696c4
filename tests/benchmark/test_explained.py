"""Explanations judged by the features of true segments, and what reports make of it."""

import types

import numpy as np
import pytest

from tsad_keras.benchmark.explained import explanation_facts
from tsad_keras.datasets.base import AnomalySegment, TimeSeriesDataset
from tsad_keras.reporting.aggregate import mean_explanations
from tsad_keras.reporting.explained import explanations_markdown

WEIGHT = np.array([0.1, 1.0, 1.0, 1.0])  # z-scores know no flags
SCALER = types.SimpleNamespace(
    transform=lambda values: (np.asarray(values) - 1.0) * np.sqrt(WEIGHT), weight_=WEIGHT
)
DETECTOR = types.SimpleNamespace(scaler_=SCALER)


def make_dataset(segments):
    test = np.ones((40, 4))  # the train mean, so z-scores are 0 outside of the segments
    test[10:14, 2] = -5.0
    test[20:21, :2] = 3.0
    train = np.random.default_rng(0).random((30, 4))
    return TimeSeriesDataset(
        "demo", "one", train, test, None, tuple("abcd"), test_segments=tuple(segments)
    )


SEGMENTS = (AnomalySegment(10, 14, "", (2,)), AnomalySegment(20, 21, "", (0, 3)))


def facts(contributions=None):
    values = np.zeros((40, 4)) if contributions is None else contributions
    return explanation_facts(make_dataset(SEGMENTS), DETECTOR, values, "ours")


def test_random_order_z_score_and_contributions():
    contributions = np.zeros((40, 4))
    contributions[10:14] = [[9, 0, 1, 0], [0, 0, 4, 0], [0, 0, 4, 0], [0, 0, 4, 0]]
    contributions[20] = [2, 0, 0, 1]
    found = facts(contributions)
    random, z_score, ours = found["rows"]
    assert [row["ranking"] for row in found["rows"]] == ["Random order", "Squared z-score", "ours"]
    assert random["hit_rate_100"] == random["peak_hit_rate_100"] == pytest.approx(3 / 8)
    # By z-scores, the first segment is right and of the second one a, of a and b, is.
    assert z_score["hit_rate_100"] == pytest.approx((1 + 0.5) / 2)
    # There a and b share the first two ranks, c and d the others.
    shared = 0.5 * (1 / np.log2(np.arange(2, 6))).sum() / (1 + 1 / np.log2(3))
    assert z_score["ndcg_5"] == pytest.approx((1 + shared) / 2)
    # The mean over the first segment says c; its peak, the first row, says a.
    assert (ours["hit_rate_100"], ours["ndcg_5"]) == (1, 1)
    assert (ours["peak_hit_rate_100"], ours["peak_ndcg_5"]) == (0.5, pytest.approx(0.815, abs=1e-3))
    assert (found["num_segments"], found["num_features"], found["mean_features"]) == (2, 4, 1.5)


def test_nothing_where_no_segment_lists_features():
    for segments in ((), (AnomalySegment(3, 5, "spike"),)):
        assert explanation_facts(make_dataset(segments), DETECTOR, np.zeros((40, 4)), "x") is None


def test_means_are_over_entities_then_seeds():
    def run(seed, value):
        rows = [{"ranking": "ours", "hit_rate_100": value}]
        counts = {"num_segments": 2, "num_features": 4, "mean_features": 1.5}
        return {"seed": seed, "explanations": {**counts, "rows": rows}}

    runs = [run(0, 0.2), run(0, 0.4), run(1, 0.5), {"seed": 1, "explanations": None}]
    row = mean_explanations(runs)["rows"][0]
    assert row["hit_rate_100"] == pytest.approx(0.4)
    assert row["spread"]["hit_rate_100"] == pytest.approx(np.std([0.3, 0.5], ddof=1))
    assert mean_explanations([{"seed": 0, "explanations": None}]) is None


def test_the_section_of_a_report():
    text = explanations_markdown(facts())
    assert text.startswith("## Explanations")
    assert "2 segments with 1.5 true features of 4" in text
    assert "| Random order | 0.375 |" in text
    assert explanations_markdown(None) == ""
