"""Metrics that look at anomalous events, i.e. at runs of anomalous time steps.

Point adjustment is here because the literature prints it; read the warning at
`point_adjusted_f1_score` before quoting a number.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.errors import InputError
from tsad_keras.evaluation._validation import (
    check_labels,
    check_labels_and_predictions,
    check_labels_and_scores,
)
from tsad_keras.evaluation.point import best_f1_and_threshold, f1_score, harmonic_mean, ratio


def labels_to_events(labels: ArrayLike) -> np.ndarray:
    """Runs of ones as start and end-exclusive pairs.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; predictions serve as well.

    Returns:
        Integer array of shape `(num_events, 2)`, in order of time; no event gives shape `(0, 2)`.

    Raises:
        InputError: if the labels are empty, not 1-d or not 0/1.

    Example:
        >>> labels_to_events([1, 0, 1, 1, 0]).tolist()
        [[0, 1], [2, 4]]
    """
    return flags_to_events(check_labels(labels))


def point_adjust(labels: ArrayLike, predictions: ArrayLike) -> np.ndarray:
    """Predictions in which every labelled event with at least one alarm is alarmed throughout.

    The labels enter the result, so it is a device of evaluation and never a decision.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Integer array of 0 and 1, shape `(num_timesteps,)`; alarms outside events stay.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> point_adjust([0, 1, 1, 1, 0], [1, 0, 1, 0, 0]).tolist()
        [1, 1, 1, 1, 0]

    Reference:
        Xu et al., "Unsupervised anomaly detection via variational auto-encoder for seasonal KPIs
        in web applications", WWW 2018, evaluation metrics.
    """
    return _adjusted(*check_labels_and_predictions(labels, predictions), percent=0.0).astype(int)


def point_adjusted_f1_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """F1 after point adjustment (PA-F1). For comparison with the literature only.

    Warning: this number proves nothing. One lucky point counts as a whole event, so a uniform
    random score reaches .98 on PSM at its best threshold, above most published methods. Never
    print it alone: put a random score's PA-F1 and the plain `f1_score` beside it.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 if no event was found. An event that begins at the first time step is
        adjusted like any other (TSB-AD 1.5 leaves its first point out).

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> point_adjusted_f1_score([0, 1, 1, 1], [0, 0, 1, 0])
        1.0

    Reference:
        Kim et al., "Towards a rigorous evaluation of time-series anomaly detection", AAAI 2022,
        which defines it as PA and shows what a random score makes of it.
    """
    return pa_k_f1_score(labels, predictions, k=0)


def best_point_adjusted_f1_score(labels: ArrayLike, scores: ArrayLike) -> float:
    """PA-F1 at the best threshold in hindsight (oracle): as the literature prints it.

    Warning: see `point_adjusted_f1_score`. A uniform random score reaches .98 on PSM.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        Value in [0, 1], the exact maximum of
        `point_adjusted_f1_score(labels, scores >= threshold)` over all thresholds; 0.0 without any
        anomaly.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite.

    Example:
        >>> best_point_adjusted_f1_score([0, 1, 1, 1, 0], [0.5, 0.1, 0.9, 0.2, 0.3])
        1.0
    """
    label_flags, score_values = check_labels_and_scores(labels, scores)
    events = flags_to_events(label_flags)
    if not len(events):
        return 0.0
    # An event is alarmed throughout as soon as its highest point is: give that score to all of its
    # points, and the plain search finds the best adjusted F1.
    lengths = events[:, 1] - events[:, 0]
    peaks = np.maximum.reduceat(score_values[label_flags], np.cumsum(lengths) - lengths)
    adjusted_scores = score_values.copy()
    adjusted_scores[label_flags] = np.repeat(peaks, lengths)
    return best_f1_and_threshold(label_flags, adjusted_scores)[0]


def pa_k_f1_score(labels: ArrayLike, predictions: ArrayLike, k: float = 20) -> float:
    """F1 after an adjustment that an event must earn (PA%K).

    An event is alarmed throughout only if MORE than k % of its points are; otherwise its alarms
    count as they are. k = 0 is point adjustment, k = 100 none at all.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.
        k: percent of an event, from 0 to 100; default 20.

    Returns:
        Value in [0, 1]; 0.0 if nothing anomalous was found.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1, or k is outside
            0 to 100.

    Example:
        >>> pa_k_f1_score([1, 1, 1, 1, 1], [1, 0, 0, 0, 0], k=20) == 1 / 3  # 20 % is not more
        True
        >>> pa_k_f1_score([1, 1, 1, 1, 1], [1, 1, 0, 0, 0], k=20)
        1.0

    Reference:
        Kim et al., "Towards a rigorous evaluation of time-series anomaly detection", AAAI 2022,
        protocol PA%K.
    """
    if not isinstance(k, Real) or isinstance(k, bool) or not 0 <= k <= 100:
        raise InputError(f"k is {k!r}, expected a percentage from 0 to 100; pass such a number")
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    return f1_score(label_flags, _adjusted(label_flags, prediction_flags, percent=float(k)))


def event_precision_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the predicted events that overlap a true event.

    A predicted event is a run of alarms; it is right if at least one of its points is labelled and
    a false alarm if none is. Length does not count: a long alarm costs as much as a short one.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any alarm.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> event_precision_score([0, 0, 1, 1, 0], [1, 0, 0, 1, 1])
        0.5
    """
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    return _share_of_touched_events(prediction_flags, label_flags)


def event_recall_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the true events in which at least one point is alarmed.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> event_recall_score([1, 0, 1, 1, 0], [0, 0, 0, 1, 1])
        0.5
    """
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    return _share_of_touched_events(label_flags, prediction_flags)


def event_f1_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of `event_precision_score` and `event_recall_score`.

    Precision counts predicted events and recall true events, so both count what an operator sees:
    alarms and incidents. One alarm over the whole series reaches 1.0 here; read it together with
    `f1_score`, where such an alarm does not pay.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 if no true event was found.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> event_f1_score([1, 0, 1, 1, 0, 0], [0, 0, 0, 1, 0, 1])
        0.5
    """
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    return harmonic_mean(
        _share_of_touched_events(prediction_flags, label_flags),
        _share_of_touched_events(label_flags, prediction_flags),
    )


def flags_to_events(flags: np.ndarray) -> np.ndarray:
    """`labels_to_events` for flags that were already checked.

    Args:
        flags: bool, shape `(num_timesteps,)`.

    Returns:
        Integer array of shape `(num_events, 2)`, start and end-exclusive.

    Example:
        >>> flags_to_events(np.array([False, True, True])).tolist()
        [[1, 3]]
    """
    padded = np.concatenate(([False], flags, [False]))
    return np.flatnonzero(padded[1:] != padded[:-1]).reshape(-1, 2)  # borders come in pairs


def _adjusted(labels: np.ndarray, predictions: np.ndarray, percent: float) -> np.ndarray:
    """Alarms every event of which more than `percent` percent of the points are alarmed."""
    events = flags_to_events(labels)
    lengths = events[:, 1] - events[:, 0]
    earned = 100 * _count_inside(events, predictions) > percent * lengths
    adjusted = predictions.copy()
    adjusted[labels] |= np.repeat(earned, lengths)
    return adjusted


def _share_of_touched_events(of: np.ndarray, by: np.ndarray) -> float:
    events = flags_to_events(of)
    return ratio(int(np.count_nonzero(_count_inside(events, by))), len(events))


def _count_inside(events: np.ndarray, flags: np.ndarray) -> np.ndarray:
    """Number of set flags inside each event, shape `(num_events,)`."""
    counts = np.concatenate(([0], np.cumsum(flags)))
    return counts[events[:, 1]] - counts[events[:, 0]]
