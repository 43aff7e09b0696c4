"""Volume under the surface: range-aware areas under the PR and ROC curves, over all buffer widths.

For each window `w` from 0 to `max_window` the labels grow soft slopes of `w // 2` points on both
sides of every event, so that an alarm slightly beside an event still earns something; the area
under the curve of these soft labels is averaged over all `w`. The definition is that of TSB-AD 1.5
(its "opt" version: windows 0 to 100, 250 thresholds), whose numbers these are:

- thresholds: the scores at `num_thresholds` equally spaced ranks of the descending order, each
  rank rounded down; equal scores make equal thresholds, which add nothing;
- soft label at distance d of an event's last or first point: `sqrt(1 - d / w)`; several slopes on a
  point add up, at most to 1. Each is at least `sqrt(1 / 2)`, so two of them always reach 1;
- TP = soft labels of the alarmed points; P = hard labels + half of the soft labels alarmed outside
  events; recall = min(TP / P, 1) * share of the padded events touched by an alarm (padded events
  that meet are one); precision = TP / alarms; FPR = (alarms - TP) / (num_timesteps - P).

Thresholds fall, so alarms only grow: each point needs the rank of the first threshold that alarms
it and no more. Every sum over alarmed points is then a running total of a histogram over ranks,
which replaces the loops over thresholds, events and points (times: benchmarks/metrics.py).

Reference: Paparrizos et al., "Volume under the surface: a new accuracy evaluation measure for
time-series anomaly detection", PVLDB 15(11), 2022: Range-AUC (one window) and VUS (all windows).
Its slopes begin at distance 0 of the end-exclusive border, TSB-AD's at distance 1 of the last
point; the text above states what is computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.evaluation._validation import check_integer, check_labels_and_scores
from tsad_keras.evaluation.events import flags_to_events


def vus_scores(
    labels: ArrayLike, scores: ArrayLike, max_window: int = 100, num_thresholds: int = 250
) -> dict[str, float]:
    """VUS-PR and VUS-ROC in one pass.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.
        max_window: widest window in time steps, 100 as in TSB-AD; the windows are 0 to max_window.
            Only numbers of the same max_window can be compared.
        num_thresholds: number of thresholds, 250 as in TSB-AD.

    Returns:
        `vus_pr_score` and `vus_roc_score`, both in [0, 1]. Without any anomaly they are 0.0 and
        0.5, with anomalies only 1.0 and 0.5, whatever the scores (TSB-AD ends in an IndexError for
        both). A constant score is an alarm everywhere: VUS-PR is then the mean share of soft
        labels, and VUS-ROC lies above 0.5, for the slopes forgive some of the false alarms.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite, if
            max_window is no integer from 0 or num_thresholds none from 1.

    Example:
        >>> result = vus_scores([0, 0, 1, 1, 0, 0], [0.9, 0.2, 0.8, 0.7, 0.3, 0.1], max_window=4)
        >>> {name: round(value, 3) for name, value in result.items()}
        {'vus_pr_score': 0.631, 'vus_roc_score': 0.786}

    Reference:
        Paparrizos et al., PVLDB 2022, VUS.
    """
    max_window = check_integer(max_window, "max_window", minimum=0)
    areas_pr, areas_roc = _areas(labels, scores, range(max_window + 1), num_thresholds)
    return {"vus_pr_score": float(areas_pr.mean()), "vus_roc_score": float(areas_roc.mean())}


def vus_pr_score(
    labels: ArrayLike, scores: ArrayLike, max_window: int = 100, num_thresholds: int = 250
) -> float:
    """Volume under the precision-recall surface; see `vus_scores` for both volumes at one cost.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.
        max_window: widest window in time steps, 100 as in TSB-AD.
        num_thresholds: number of thresholds, 250 as in TSB-AD.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly, 1.0 with anomalies only. A random score reaches
        somewhat more than the share of anomalous time steps (about .305 against .278 on PSM).

    Raises:
        InputError: as `vus_scores`.

    Example:
        >>> vus_pr_score([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.3, 0.1], max_window=0)
        1.0

    Reference:
        Paparrizos et al., PVLDB 2022, VUS.
    """
    return vus_scores(labels, scores, max_window, num_thresholds)["vus_pr_score"]


def vus_roc_score(
    labels: ArrayLike, scores: ArrayLike, max_window: int = 100, num_thresholds: int = 250
) -> float:
    """Volume under the ROC surface; see `vus_scores` for both volumes at one cost.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.
        max_window: widest window in time steps, 100 as in TSB-AD.
        num_thresholds: number of thresholds, 250 as in TSB-AD.

    Returns:
        Value in [0, 1]; 0.5 if the labels hold one class only.

    Raises:
        InputError: as `vus_scores`.

    Example:
        >>> vus_roc_score([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.3, 0.1], max_window=0)
        1.0

    Reference:
        Paparrizos et al., PVLDB 2022, VUS.
    """
    return vus_scores(labels, scores, max_window, num_thresholds)["vus_roc_score"]


def range_auc_scores(
    labels: ArrayLike, scores: ArrayLike, window: int = 100, num_thresholds: int = 250
) -> dict[str, float]:
    """The areas of one window: the slice of the surface whose mean over windows is the volume.

    TSB-AD's own `RangeAUC` starts its slopes one point earlier after an event, so its numbers
    differ a little from the slices of its own volume; here both are the same thing.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.
        window: window in time steps; 0 and 1 leave the labels as they are.
        num_thresholds: number of thresholds, 250 as in TSB-AD.

    Returns:
        `range_auc_pr_score` and `range_auc_roc_score`, both in [0, 1]; labels of one class as in
        `vus_scores`.

    Raises:
        InputError: as `vus_scores`, with `window` in place of `max_window`.

    Example:
        >>> range_auc_scores([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.9, 0.8, 0.3, 0.1], window=0)
        {'range_auc_pr_score': 1.0, 'range_auc_roc_score': 1.0}

    Reference:
        Paparrizos et al., PVLDB 2022, Range-AUC.
    """
    window = check_integer(window, "window", minimum=0)
    areas_pr, areas_roc = _areas(labels, scores, range(window, window + 1), num_thresholds)
    return {"range_auc_pr_score": float(areas_pr[0]), "range_auc_roc_score": float(areas_roc[0])}


def _areas(
    labels: ArrayLike, scores: ArrayLike, windows: range, num_thresholds: int
) -> tuple[np.ndarray, np.ndarray]:
    """PR and ROC area of each window, two arrays of shape `(num_windows,)`."""
    label_flags, score_values = check_labels_and_scores(labels, scores)
    num_thresholds = check_integer(num_thresholds, "num_thresholds", minimum=1)
    num_positives = np.count_nonzero(label_flags)
    if num_positives in (0, label_flags.size):
        one_class = float(num_positives > 0)
        return np.full(len(windows), one_class), np.full(len(windows), 0.5)

    ranks = _threshold_ranks(score_values, num_thresholds)
    num_alarms = _running_total(ranks, num_thresholds)  # (num_thresholds,)
    hard_hits = _running_total(ranks[label_flags], num_thresholds)  # (num_thresholds,)
    soft_hits = _soft_hits(label_flags, ranks, windows, num_thresholds)  # (num_windows, ...)
    found = _found_shares(label_flags, ranks, windows, num_thresholds)  # (num_windows, ...)

    hits = hard_hits + soft_hits
    positives = num_positives + soft_hits / 2
    recall = np.minimum(hits / positives, 1) * found
    false_positive_rate = (num_alarms - hits) / (label_flags.size - positives)
    return _step_area(recall, hits / num_alarms), _trapezoid_area(false_positive_rate, recall)


def _threshold_ranks(scores: np.ndarray, num_thresholds: int) -> np.ndarray:
    """Rank of the first threshold that alarms each point; num_thresholds where none does."""
    picks = np.linspace(0, scores.size - 1, num_thresholds).astype(int)
    rising = np.sort(scores)[::-1][picks][::-1]
    # The first threshold not above the score has as many before it as lie above the score.
    return num_thresholds - np.searchsorted(rising, scores, side="right")


def _running_total(
    ranks: np.ndarray, num_thresholds: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """Sum of the weights (default 1) alarmed at each threshold, shape `(num_thresholds,)`."""
    histogram = np.bincount(ranks, weights=weights, minlength=num_thresholds + 1)
    return np.cumsum(histogram[:num_thresholds])


def _soft_hits(
    labels: np.ndarray, ranks: np.ndarray, windows: range, num_thresholds: int
) -> np.ndarray:
    """Soft labels outside events alarmed at each threshold, `(num_windows, num_thresholds)`."""
    positions, nearest, second = _distances_to_events(labels, windows[-1] // 2)
    point_ranks = ranks[positions]
    totals = np.zeros((len(windows), num_thresholds))
    for row, window in enumerate(windows):
        reached = np.searchsorted(nearest, window // 2, side="right")  # sorted: a prefix
        if not reached:
            continue
        weights = np.sqrt(1 - nearest[:reached] / window)
        weights[second[:reached] <= window // 2] = 1.0  # two slopes add up to more than 1
        totals[row] = _running_total(point_ranks[:reached], num_thresholds, weights)
    return totals


def _distances_to_events(
    labels: np.ndarray, reach: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Normal points within `reach` of an event, with distances to their two nearest events.

    Returns:
        Positions, distance to the nearest and to the second nearest event, three integer arrays
        of shape `(num_near_points,)` sorted by the nearest distance.
    """
    events = flags_to_events(labels)
    far = 2 * labels.size + reach
    # Two imaginary far events at each end spare every case distinction below.
    last_points = np.concatenate(([-far, -far], events[:, 1] - 1))
    first_points = np.concatenate((events[:, 0], [far, far]))
    positions = np.flatnonzero(~labels)
    following = np.searchsorted(events[:, 0], positions)  # number of events before the point
    distances = np.stack(
        (
            positions - last_points[following],
            positions - last_points[following + 1],
            first_points[following] - positions,
            first_points[following + 1] - positions,
        )
    )
    nearest, second = np.partition(distances, 1, axis=0)[:2]
    near = np.flatnonzero(nearest <= reach)
    near = near[np.argsort(nearest[near], kind="stable")]
    return positions[near], nearest[near], second[near]


def _found_shares(
    labels: np.ndarray, ranks: np.ndarray, windows: range, num_thresholds: int
) -> np.ndarray:
    """Share of the padded events with an alarm, `(num_windows, num_thresholds)`."""
    events = flags_to_events(labels)
    ranks = np.append(ranks, num_thresholds)  # so that an event may end at num_timesteps
    shares = {}
    for half in {window // 2 for window in windows}:
        padded = _padded_events(events, half, labels.size)
        # A padded event is found at the lowest rank inside; the odd slices are the gaps.
        first_ranks = np.minimum.reduceat(ranks, padded.ravel())[::2]
        shares[half] = _running_total(first_ranks, num_thresholds) / len(padded)
    return np.stack([shares[window // 2] for window in windows])


def _padded_events(events: np.ndarray, half: int, num_timesteps: int) -> np.ndarray:
    """Events widened by `half` on both sides; those that then share a point become one."""
    gaps = events[1:, 0] - (events[:-1, 1] - 1)
    apart = gaps > 2 * half
    starts = events[np.append(True, apart), 0] - half
    ends = events[np.append(apart, True), 1] + half
    return np.stack((np.maximum(starts, 0), np.minimum(ends, num_timesteps)), axis=1)


def _step_area(recall: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Area under each row's precision-recall steps, from recall 0 to the last threshold's."""
    return np.sum(np.diff(recall, axis=1, prepend=0) * precision, axis=1)


def _trapezoid_area(false_positive_rate: np.ndarray, recall: np.ndarray) -> np.ndarray:
    """Area under each row's ROC curve, from (0, 0) to (1, 1)."""
    ends = ((0, 0), (0, 1))  # a 0 before and a 1 after each row
    widths = np.diff(np.pad(false_positive_rate, ((0, 0), (1, 1)), constant_values=ends), axis=1)
    heights = np.pad(recall, ((0, 0), (1, 1)), constant_values=ends)
    return np.sum(widths * (heights[:, 1:] + heights[:, :-1]) / 2, axis=1)
