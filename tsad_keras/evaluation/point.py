"""Metrics that look at each time step alone.

A series without anomalies, without alarms or with one class only leaves some quotients undefined.
Here they are always defined: a share of nothing is 0.0, the ROC-AUC of one class is 0.5.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.evaluation._validation import (
    check_labels,
    check_labels_and_predictions,
    check_labels_and_scores,
)


def confusion_counts(labels: ArrayLike, predictions: ArrayLike) -> dict[str, int]:
    """Counts of the four kinds of time steps.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        `true_positives`, `false_positives`, `false_negatives` and `true_negatives`; they add up
        to the number of time steps.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> confusion_counts([0, 0, 1, 1], [0, 1, 1, 1])["false_positives"]
        1
    """
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    true_positives = int(np.count_nonzero(label_flags & prediction_flags))
    num_alarms = int(np.count_nonzero(prediction_flags))
    num_anomalous = int(np.count_nonzero(label_flags))
    return {
        "true_positives": true_positives,
        "false_positives": num_alarms - true_positives,
        "false_negatives": num_anomalous - true_positives,
        "true_negatives": label_flags.size - num_alarms - num_anomalous + true_positives,
    }


def precision_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the alarmed time steps that are anomalous.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any alarm.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> precision_score([0, 0, 1, 1], [0, 1, 1, 0])
        0.5
    """
    counts = confusion_counts(labels, predictions)
    return ratio(counts["true_positives"], counts["true_positives"] + counts["false_positives"])


def recall_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the anomalous time steps that are alarmed.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> recall_score([0, 1, 1, 1, 1], [1, 1, 0, 0, 0])
        0.25
    """
    counts = confusion_counts(labels, predictions)
    return ratio(counts["true_positives"], counts["true_positives"] + counts["false_negatives"])


def f1_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of precision and recall over time steps, without any adjustment.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 if nothing anomalous was found, also where nothing was anomalous.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> f1_score([0, 0, 1, 1], [0, 1, 1, 0])
        0.5
    """
    counts = confusion_counts(labels, predictions)
    doubled_hits = 2 * counts["true_positives"]
    return ratio(doubled_hits, doubled_hits + counts["false_positives"] + counts["false_negatives"])


def always_alarm_f1_score(labels: ArrayLike) -> float:
    """F1 of an alarm on every time step: the floor that any F1 has to beat.

    With share p of anomalous time steps it is 2 p / (1 + p).

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly.

    Raises:
        InputError: if the labels are empty, not 1-d or not 0/1.

    Example:
        >>> round(always_alarm_f1_score([0, 0, 0, 1]), 3)
        0.4
    """
    label_flags = check_labels(labels)
    num_anomalous = int(np.count_nonzero(label_flags))
    return ratio(2 * num_anomalous, num_anomalous + label_flags.size)


def roc_auc_score(labels: ArrayLike, scores: ArrayLike) -> float:
    """Probability that a random anomalous time step scores above a random normal one.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        Value in [0, 1]; ties count one half; 0.5 if the labels hold one class only.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite.

    Example:
        >>> roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.75

    Reference:
        Fawcett, "An introduction to ROC analysis", Pattern Recognition Letters 2006.
    """
    label_flags, score_values = check_labels_and_scores(labels, scores)
    if label_flags.all() or not label_flags.any():
        return 0.5
    _, true_positives, num_alarms = _at_each_threshold(label_flags, score_values)
    num_anomalous = np.count_nonzero(label_flags)
    recall = np.append(0.0, true_positives / num_anomalous)
    false_alarms = np.append(
        0.0, (num_alarms - true_positives) / (label_flags.size - num_anomalous)
    )
    return float(np.sum(np.diff(false_alarms) * (recall[1:] + recall[:-1])) / 2)


def average_precision_score(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the precision-recall curve as a step function (AUC-PR).

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        Value in [0, 1]. A constant score gives the share of anomalous time steps; no anomaly
        gives 0.0 and only anomalies 1.0, whatever the score.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite.

    Example:
        >>> round(average_precision_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), 3)
        0.833

    Reference:
        Davis and Goadrich, "The relationship between precision-recall and ROC curves", ICML 2006.
    """
    label_flags, score_values = check_labels_and_scores(labels, scores)
    if not label_flags.any():
        return 0.0
    _, true_positives, num_alarms = _at_each_threshold(label_flags, score_values)
    gained = np.diff(true_positives, prepend=0) / np.count_nonzero(label_flags)  # of the recall
    return float(np.sum(gained * true_positives / num_alarms))


def best_f1_score(labels: ArrayLike, scores: ArrayLike) -> float:
    """F1 at the best threshold in hindsight (oracle): an upper bound, not a result.

    The labels choose the threshold, so no detector can reach this number in use. Compare it with
    `always_alarm_f1_score`, which it never falls below.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        Value in [0, 1], the maximum of `f1_score(labels, scores >= threshold)` over all
        thresholds; 0.0 without any anomaly.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite.

    Example:
        >>> best_f1_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.8
    """
    return best_f1_and_threshold(*check_labels_and_scores(labels, scores))[0]


def best_f1_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Threshold of `best_f1_score` (oracle: chosen with the labels, not usable in earnest).

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        The score that reaches the best F1 as `scores >= threshold`; of several, the highest, which
        alarms least. Without any anomaly it is the highest score.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite.

    Example:
        >>> best_f1_threshold([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        0.35
    """
    return best_f1_and_threshold(*check_labels_and_scores(labels, scores))[1]


def best_f1_and_threshold(label_flags: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Best F1 over all thresholds, and the highest threshold that reaches it; O(n log n).

    Args:
        label_flags: checked labels, bool, shape `(num_timesteps,)`.
        scores: checked scores, float, shape `(num_timesteps,)`.

    Returns:
        The best F1 and its threshold.

    Example:
        >>> best_f1_and_threshold(np.array([False, True]), np.array([1.0, 2.0]))
        (1.0, 2.0)
    """
    thresholds, true_positives, num_alarms = _at_each_threshold(label_flags, scores)
    f1_scores = 2 * true_positives / (num_alarms + np.count_nonzero(label_flags))
    best = int(np.argmax(f1_scores))  # the first maximum, hence the highest threshold
    return float(f1_scores[best]), float(thresholds[best])


def _at_each_threshold(
    label_flags: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different scores, descending, and true positives and alarms if each is the threshold."""
    order = np.argsort(-scores, kind="stable")
    sorted_scores = scores[order]
    # Equal scores are alarmed together: only the last of a run of equals is a real threshold.
    cuts = np.append(np.flatnonzero(np.diff(sorted_scores)), scores.size - 1)
    return sorted_scores[cuts], np.cumsum(label_flags[order])[cuts], cuts + 1


def ratio(numerator: float, denominator: float) -> float:
    """Quotient of two counts, 0.0 where there is nothing to count.

    Args:
        numerator: any count.
        denominator: a count, possibly 0.

    Returns:
        `numerator / denominator`, or 0.0.

    Example:
        >>> ratio(1, 4), ratio(0, 0)
        (0.25, 0.0)
    """
    return float(numerator / denominator) if denominator else 0.0


def harmonic_mean(precision: float, recall: float) -> float:
    """F1 of a given precision and recall, 0.0 if both are 0.

    Args:
        precision: value in [0, 1].
        recall: value in [0, 1].

    Returns:
        Value in [0, 1].

    Example:
        >>> harmonic_mean(1.0, 0.5) == 2 / 3
        True
    """
    return ratio(2 * precision * recall, precision + recall)
