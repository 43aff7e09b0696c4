"""Means, ranks and tests over rows, against values worked out by hand or by SciPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tsad_keras.reporting.comparison import (
    as_they_are,
    best_posts,
    critical_difference,
    entity_table,
    holm,
    mean_rows,
    rank,
    same_post,
    wilcoxon_holm,
    with_posts,
)


def make_frame(values: dict[tuple, float]) -> pd.DataFrame:
    """Rows from `{(entity, method, seed, post): vus_pr}`."""
    return pd.DataFrame(
        {
            "dataset": "smd",
            "entity": entity,
            "method": method,
            "seed": seed,
            "post": post,
            "vus_pr_score": value,
        }
        for (entity, method, seed, post), value in values.items()
    )


FRAME = make_frame(
    {
        ("a", "x", 0, "raw"): 0.2,
        ("a", "x", 1, "raw"): 0.4,
        ("b", "x", 0, "raw"): 0.6,
        ("b", "x", 1, "raw"): 0.8,
        ("a", "x", 0, "two"): 0.9,
        ("a", "x", 1, "two"): 0.9,
        ("b", "x", 0, "two"): 0.0,
        ("b", "x", 1, "two"): 0.0,
        ("a", "y", 0, "raw"): 0.3,
        ("b", "y", 0, "raw"): 0.1,
        ("a", "y", 0, "two"): 0.5,
        ("b", "y", 0, "two"): 0.1,
    }
)


def test_posts_are_chosen_for_each_method_by_its_mean():
    assert best_posts(FRAME) == {"x": "raw", "y": "two"}
    assert same_post(FRAME, "two") == {"x": "two", "y": "two"}
    assert as_they_are(same_post(FRAME, "two"), ["y"]) == {"x": "two", "y": "raw"}
    chosen = with_posts(FRAME, {"x": "raw", "y": "two"})
    assert set(zip(chosen["method"], chosen["post"], strict=True)) == {("x", "raw"), ("y", "two")}


def test_means_are_over_entities_of_means_over_seeds_and_spread_is_over_seeds():
    rows = mean_rows(with_posts(FRAME, same_post(FRAME, "raw")), ["vus_pr_score"])
    assert rows["x"]["mean"]["vus_pr_score"] == pytest.approx(0.5)
    assert rows["x"]["spread"]["vus_pr_score"] == pytest.approx(np.std([0.4, 0.6], ddof=1))
    assert (rows["x"]["num_entities"], rows["x"]["num_seeds"]) == (2, 2)
    assert rows["y"]["spread"]["vus_pr_score"] is None


def test_a_seed_that_is_not_finished_does_not_shift_mean_or_spread():
    frame = make_frame(
        {
            ("a", "x", 0, "raw"): 0.2,
            ("b", "x", 0, "raw"): 0.6,
            ("a", "x", 1, "raw"): 0.4,
            ("b", "x", 1, "raw"): 0.6,
            ("b", "x", 2, "raw"): 0.6,
        }
    )
    row = mean_rows(frame, ["vus_pr_score"])["x"]
    assert row["mean"]["vus_pr_score"] == pytest.approx((0.3 + 0.6) / 2)
    assert row["spread"]["vus_pr_score"] == pytest.approx(np.std([0.4, 0.5], ddof=1))


def test_entity_table_keeps_order_and_shows_what_is_missing():
    frame = with_posts(FRAME, same_post(FRAME, "raw")).query("method == 'x' or entity == 'b'")
    table = entity_table(frame, ["y", "x", "z"])
    assert list(table.columns) == ["y", "x"]
    assert list(table.index) == [("smd", "a"), ("smd", "b")]
    assert np.isnan(table.loc[("smd", "a"), "y"])
    assert table.loc[("smd", "a"), "x"] == pytest.approx(0.3)


def test_only_entities_with_every_method_are_ranked():
    table = pd.DataFrame({"a": [0.9, 0.5, 0.1], "b": [0.1, 0.7, np.nan], "c": [0.1, 0.2, 0.9]})
    result = rank(table)
    assert result.num_entities == 2
    assert result.mean_rank == {"a": 1.5, "b": 1.75, "c": 2.75}
    assert result.wins == {"a": 1, "b": 1, "c": 0}
    assert rank(table[2:]).num_entities == 0


def test_wilcoxon_is_scipys_and_equal_methods_are_not_told_apart():
    random = np.random.default_rng(0)
    ours = random.random(12)
    table = pd.DataFrame({"ours": ours, "worse": ours - 0.1 * random.random(12), "same": ours})
    worse, same = wilcoxon_holm(table, "ours")
    expected = stats.wilcoxon(table["ours"] - table["worse"]).pvalue
    assert worse["p_value"] == pytest.approx(expected)
    assert worse["p_holm"] == pytest.approx(2 * expected)
    assert (worse["num_better"], worse["num_worse"]) == (12, 0)
    assert worse["mean_difference"] == pytest.approx((ours - table["worse"]).mean())
    assert (same["p_value"], same["p_holm"], same["num_better"]) == (1.0, 1.0, 0)


def test_too_few_entities_and_no_reference_give_no_test():
    table = pd.DataFrame({"ours": np.arange(5.0), "other": np.arange(5.0) + 1})
    assert wilcoxon_holm(table, "ours") == []
    assert wilcoxon_holm(table, "nobody") == []


def test_holm_is_monotone_in_p_and_at_most_one():
    assert holm([]) == []
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    p_values = np.random.default_rng(1).random(20) / 30
    corrected = np.array(holm(p_values))
    assert np.all(np.diff(corrected[np.argsort(p_values)]) >= 0)
    assert np.all(corrected >= p_values)


@pytest.mark.parametrize(
    ("num_methods", "quantile"), [(2, 1.960), (3, 2.343), (5, 2.728), (10, 3.164)]
)
def test_critical_difference_has_the_published_quantiles(num_methods, quantile):
    factor = np.sqrt(num_methods * (num_methods + 1) / (6 * 14))
    assert critical_difference(num_methods, 14) == pytest.approx(quantile * factor, rel=1e-3)
