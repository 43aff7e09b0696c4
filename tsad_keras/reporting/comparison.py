"""Means, ranks and tests over the rows of a benchmark."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

PLACE = ["dataset", "entity"]
MAIN = "vus_pr_score"  # the metric to compare by
LEAST_ENTITIES = 6  # with fewer, no Wilcoxon test can reach p < 0.05 on both sides


def as_they_are(posts: dict[str, str], names: Collection[str]) -> dict[str, str]:
    """The same, but methods that smooth inside are not smoothed again.

    Args:
        posts: Method to post.
        names: The methods that smooth inside.
    """
    return {name: "raw" if name in names else post for name, post in posts.items()}


def same_post(frame: pd.DataFrame, post: str) -> dict[str, str]:
    """One post for every method.

    Args:
        frame: Rows of `results.csv`.
        post: Its name.

    Returns:
        Method to post, for the methods that have rows with it.
    """
    return dict.fromkeys(frame.loc[frame["post"] == post, "method"].unique(), post)


def best_posts(frame: pd.DataFrame) -> dict[str, str]:
    """For each method the post with the highest mean over the entities; this uses the labels.

    Args:
        frame: Rows of `results.csv`.

    Returns:
        Method to post; of equals the first in the frame.
    """
    means = entity_means(frame).groupby(["method", "post"], sort=False)[MAIN].mean()
    return {method: part.idxmax()[1] for method, part in means.groupby("method", sort=False)}


def with_posts(frame: pd.DataFrame, posts: dict[str, str]) -> pd.DataFrame:
    """The rows of each method with its post."""
    return frame[frame["post"] == frame["method"].map(posts)]


def entity_means(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over the seeds: one row for each entity, method and post."""
    keys = [*PLACE, "method", "post"]
    return frame.groupby(keys, sort=False).mean(numeric_only=True).reset_index()


def mean_rows(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Means over entities, with their spread over seeds.

    Args:
        frame: Rows with one post a method.
        columns: Numbers to average.

    Returns:
        By method: `mean` and `spread` (standard deviation, n - 1, of the seeds' means over the
        entities; None of a single seed), both dicts by column; `num_entities`, `num_seeds`. Only
        seeds that all of the method's entities have count for the spread.
    """
    found = {}
    for method, part in frame.groupby("method", sort=False):
        num_entities = part[PLACE].drop_duplicates().shape[0]
        means = part.groupby(PLACE)[list(columns)].mean().mean()
        by_seed = part.groupby("seed")
        whole = [seed for seed, rows in by_seed if len(rows) == num_entities]
        spreads = part[part["seed"].isin(whole)].groupby("seed")[list(columns)].mean().std(ddof=1)
        found[method] = {
            "mean": {name: _known(means[name]) for name in columns},
            "spread": {name: _known(spreads[name]) for name in columns},
            "num_entities": num_entities,
            "num_seeds": part["seed"].nunique(),
        }
    return found


def entity_table(frame: pd.DataFrame, methods: Sequence[str], column: str = MAIN) -> pd.DataFrame:
    """One row an entity and one column a method, means over seeds; NaN where a run is missing.

    Args:
        frame: Rows with one post a method.
        methods: The columns; those without rows are left out.
        column: What to show.
    """
    table = entity_means(frame).pivot(index=PLACE, columns="method", values=column)
    order = frame[PLACE].drop_duplicates()
    return table.reindex(
        index=pd.MultiIndex.from_frame(order), columns=[m for m in methods if m in table]
    )


@dataclasses.dataclass(frozen=True)
class Ranks:
    """Who is how good how often.

    Attributes:
        mean_rank: By method; 1 = best on every entity, equals share the mean of their ranks.
        wins: By method, on how many entities none is better.
        num_entities: Entities that have all methods; only these count.
    """

    mean_rank: dict[str, float]
    wins: dict[str, int]
    num_entities: int


def rank(table: pd.DataFrame) -> Ranks:
    """Ranks the methods on each entity.

    Args:
        table: As `entity_table` makes it.

    Example:
        >>> result = rank(pd.DataFrame({"a": [0.9, 0.5], "b": [0.1, 0.5]}))
        >>> result.mean_rank, result.wins
        ({'a': 1.25, 'b': 1.75}, {'a': 2, 'b': 1})
    """
    whole = table.dropna()
    if whole.empty:
        return Ranks({}, {}, 0)
    ranks = whole.rank(axis=1, ascending=False)
    best = whole.eq(whole.max(axis=1), axis=0)
    return Ranks(
        {name: float(ranks[name].mean()) for name in whole},
        {name: int(best[name].sum()) for name in whole},
        len(whole),
    )


@dataclasses.dataclass(frozen=True)
class Named:
    """What the report has to know about a method: name, family, label."""

    name: str
    family: str
    label: str


@dataclasses.dataclass(frozen=True)
class View:
    """One choice of a post for each method.

    Attributes:
        frame: The rows.
        posts: Method to post.
        ranks: Of the methods that are no ablations.
    """

    frame: pd.DataFrame
    posts: dict[str, str]
    ranks: Ranks


def make_view(frame: pd.DataFrame, posts: dict[str, str], ranked: Sequence[str]) -> View:
    """Selects rows and ranks methods.

    Args:
        frame: Rows of `results.csv`.
        posts: Method to post.
        ranked: Names of the methods to rank.
    """
    chosen = with_posts(frame, posts)
    return View(chosen, posts, rank(entity_table(chosen, ranked)))


def wilcoxon_holm(table: pd.DataFrame, reference: str) -> list[dict[str, Any]]:
    """The reference against each other method: Wilcoxon's signed-rank test over entities.

    Args:
        table: As `entity_table` makes it.
        reference: The method that is compared with the others.

    Returns:
        By method: `method`, `num_entities` that both have, `mean_difference` (reference minus
        method), `num_better` and `num_worse` of the reference, two-sided `p_value`, and `p_holm`,
        that p corrected by Holm for the number of tests. Empty without the reference; methods with
        fewer than `LEAST_ENTITIES` in common are left out.
    """
    found = []
    for name in table if reference in table else ():
        both = table[[reference, name]].dropna() if name != reference else table[:0]
        if len(both) < LEAST_ENTITIES:
            continue
        difference = (both[reference] - both[name]).to_numpy()
        p_value = 1.0  # no entity tells them apart
        if np.any(difference != 0):
            p_value = float(stats.wilcoxon(difference, zero_method="zsplit").pvalue)
        found.append(
            {
                "method": name,
                "num_entities": len(both),
                "mean_difference": float(difference.mean()),
                "num_better": int((difference > 0).sum()),
                "num_worse": int((difference < 0).sum()),
                "p_value": p_value,
            }
        )
    for row, p_holm in zip(found, holm([row["p_value"] for row in found]), strict=True):
        row["p_holm"] = p_holm
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction for several tests.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    steps = np.maximum.accumulate(np.asarray(p_values, float)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(steps, 1.0)
    return corrected.tolist()


def critical_difference(num_methods: int, num_entities: int, alpha: float = 0.05) -> float:
    """By how much mean ranks must differ (Nemenyi's test).

    Args:
        num_methods: How many are ranked, 2 or more.
        num_entities: On how many entities.
        alpha: Probability of any false difference.

    Reference:
        Demsar, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 2006.

    Example:
        >>> round(critical_difference(5, 30), 2)
        1.11
    """
    quantile = stats.studentized_range.ppf(1 - alpha, num_methods, np.inf) / np.sqrt(2)
    return float(quantile * np.sqrt(num_methods * (num_methods + 1) / (6 * num_entities)))


def _known(value: float) -> float | None:
    return None if pd.isna(value) else float(value)
