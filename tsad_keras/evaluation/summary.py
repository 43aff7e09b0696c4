"""All metrics of one score at once, in the order in which they deserve to be read."""

from __future__ import annotations

from numpy.typing import ArrayLike

from tsad_keras.evaluation._validation import check_labels_and_predictions, check_labels_and_scores
from tsad_keras.evaluation.affiliation import affiliation_scores
from tsad_keras.evaluation.events import (
    best_point_adjusted_f1_score,
    event_f1_score,
    pa_k_f1_score,
    point_adjusted_f1_score,
)
from tsad_keras.evaluation.point import (
    average_precision_score,
    best_f1_score,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from tsad_keras.evaluation.vus import vus_scores


def evaluate_scores(
    labels: ArrayLike,
    scores: ArrayLike,
    predictions: ArrayLike | None = None,
    *,
    max_window: int = 100,
) -> dict[str, float]:
    """Every metric that the input allows, ready for JSON.

    Threshold-free metrics come first, then those of the predictions, and point adjustment last
    (see the warning at `point_adjusted_f1_score`). Keys with `best_` used the labels to choose a
    threshold.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite, shape `(num_timesteps,)`; higher = more anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm. Default: none, and their metrics
            are left out.
        max_window: widest window of the VUS metrics in time steps.

    Returns:
        Metric name to value in [0, 1], never NaN: labels of one class and predictions without an
        alarm have the values that each metric's docstring states.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d, not 0/1 or not finite, or
            max_window is no integer from 0.

    Example:
        >>> result = evaluate_scores([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
        >>> list(result)[:3], result["roc_auc_score"]
        (['vus_pr_score', 'vus_roc_score', 'average_precision_score'], 0.75)
    """
    label_flags, score_values = check_labels_and_scores(labels, scores)
    result = vus_scores(label_flags, score_values, max_window)
    for metric in (average_precision_score, roc_auc_score, best_f1_score):
        result[metric.__name__] = metric(label_flags, score_values)
    if predictions is not None:
        _, alarms = check_labels_and_predictions(label_flags, predictions)
        for metric in (precision_score, recall_score, f1_score, event_f1_score):
            result[metric.__name__] = metric(label_flags, alarms)
        result.update(affiliation_scores(label_flags, alarms))
        for metric in (pa_k_f1_score, point_adjusted_f1_score):
            result[metric.__name__] = metric(label_flags, alarms)
    result["best_point_adjusted_f1_score"] = best_point_adjusted_f1_score(label_flags, score_values)
    return result
