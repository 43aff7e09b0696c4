"""Judges which features an explanation blames, where the truly touched ones are known.

Everything is counted by segment: the contributions of a segment are the means over its time steps
(`segment_contributions`), its features are ranked by them, and the metric is the mean over the
segments, long or short. No threshold is involved: segments that no alarm met count like the rest.
Contributions of equal size share their ranks: the metric is the mean over all orders of them, so
that the order of the columns decides nothing and equal contributions have just the value that a
random order has on average.

Reference:
    Su et al., "Robust anomaly detection for multivariate time series through stochastic recurrent
    neural network", KDD 2019 (HitRate@P%, there by time step of detected segments). Järvelin and
    Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 20(4), 2002 (NDCG).
    McSherry and Najork, "Computing information retrieval performance measures efficiently in the
    presence of tied scores", ECIR 2008 (ties).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.evaluation._validation import (
    check_integer,
    check_percent,
    check_ranking,
    check_segments,
)


def segment_contributions(events: ArrayLike, contributions: ArrayLike) -> np.ndarray:
    """Means of the contributions over the time steps of each segment.

    Args:
        events: `(num_segments, 2)` whole numbers: the first row of each segment and the row after
            its last, as `labels_to_events` returns them.
        contributions: Finite numbers, `(num_timesteps, num_features)`, as `explain` returns them.

    Returns:
        `(num_segments, num_features)`.

    Raises:
        InputError: If a segment is empty or lies outside the contributions, or these are unusable.

    Example:
        >>> segment_contributions([(1, 3)], [[9, 9], [1, 0], [3, 1]])
        array([[2. , 0.5]])
    """
    borders, values = check_segments(events, contributions)
    return np.stack([values[start:end].mean(axis=0) for start, end in borders])


def hit_rate_score(
    feature_labels: ArrayLike, contributions: ArrayLike, percent: float = 100.0
) -> float:
    """HitRate@P%: the share of the truly touched features among those that are ranked first.

    Of a segment that touches g features, the floor(P / 100 * g) features with the largest
    contributions are looked at; those among them that are truly touched are counted and divided by
    g. At 100 % a random order has g / num_features on average.

    Args:
        feature_labels: 0/1 or bool, `(num_segments, num_features)`; 1 = touched. At least one in
            each row.
        contributions: Finite numbers, same shape; larger = more to blame.
        percent: P, above 0. Also above 100, to forgive a few wrong features.

    Returns:
        The mean over the segments, in [0, 1].

    Raises:
        InputError: If anything is unusable.

    Example:
        >>> hit_rate_score([[1, 1, 0, 0]], [[0.5, 0.1, 0.3, 0.0]])
        0.5
        >>> hit_rate_score([[1, 1, 0, 0]], [[0.5, 0.1, 0.3, 0.0]], percent=150)
        1.0
    """
    labels, values = check_ranking(feature_labels, contributions)
    true_counts = labels.sum(axis=1)
    cutoffs = _cutoffs(true_counts, check_percent(percent, "percent"))
    hits = np.where(_within(cutoffs, labels.shape[1]), _gains(labels, values), 0.0).sum(axis=1)
    return float(np.mean(hits / true_counts))


def ndcg_score(
    feature_labels: ArrayLike,
    contributions: ArrayLike,
    k: int = 5,
    percent: float | None = None,
) -> float:
    """NDCG@k: how far up the truly touched features are ranked among the first k.

    A touched feature at rank i <= k counts 1 / log2(i + 1); the sum is divided by the largest that
    is possible, that of min(g, k) touched features at the top.

    Args:
        feature_labels: 0/1 or bool, `(num_segments, num_features)`; 1 = touched. At least one in
            each row.
        contributions: Finite numbers, same shape; larger = more to blame.
        k: Ranks that count, 1 or more; those that exist where there are fewer features.
        percent: If given, k is replaced by floor(percent / 100 * g) in each segment, at least 1
            (NDCG@P%).

    Returns:
        The mean over the segments, in [0, 1].

    Raises:
        InputError: If anything is unusable.

    Example:
        >>> round(ndcg_score([[1, 1, 0, 0]], [[0.5, 0.1, 0.3, 0.0]], k=3), 3)
        0.92
    """
    labels, values = check_ranking(feature_labels, contributions)
    true_counts = labels.sum(axis=1)
    cutoffs = np.full(len(labels), check_integer(k, "k", 1))
    if percent is not None:
        cutoffs = np.maximum(_cutoffs(true_counts, check_percent(percent, "percent")), 1)
    num_features = labels.shape[1]
    discounts = np.where(
        _within(cutoffs, num_features), 1.0 / np.log2(np.arange(num_features) + 2.0), 0.0
    )
    ideal = np.where(_within(true_counts, num_features), discounts, 0.0).sum(axis=1)
    return float(np.mean((_gains(labels, values) * discounts).sum(axis=1) / ideal))


def _cutoffs(true_counts: np.ndarray, percent: float) -> np.ndarray:
    """floor(P / 100 * g), safe from products like 2.9999999999."""
    return np.floor(true_counts * percent / 100.0 + 1e-9).astype(int)


def _within(counts: np.ndarray, num_features: int) -> np.ndarray:
    """`(num_segments, num_features)`: which ranks are among the first `counts`."""
    return np.arange(num_features) < counts[:, None]


def _gains(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Share of touched features at each rank, ties shared; `(num_segments, num_features)`."""
    gains = np.empty(labels.shape)
    for row, (flags, numbers) in enumerate(zip(labels, values, strict=True)):
        _, group, sizes = np.unique(-numbers, return_inverse=True, return_counts=True)
        means = np.bincount(group, weights=flags, minlength=len(sizes)) / sizes
        gains[row] = np.repeat(means, sizes)
    return gains
