"""Metrics of anyone's anomaly scores; NumPy and scikit-learn only, no TensorFlow.

Labels come first everywhere: `(labels, scores)` or `(labels, predictions)`. Labels and predictions
are 0 or 1, scores are finite and higher means more anomalous. All values lie in [0, 1] and none is
ever NaN:

| labels, predictions or scores | value |
|---|---|
| no anomaly | ROC-AUC and VUS-ROC 0.5, every other metric 0.0 |
| anomalies only | ROC-AUC and VUS-ROC 0.5, AP, VUS-PR and `best_` metrics 1.0, others as ever |
| no alarm | every metric of predictions 0.0 |
| constant score | ROC-AUC 0.5, AP = share of anomalies, `best_f1_score` = always alarm |
| one time step | one of the first two rows |

The metrics of explanations (`explanation.py`) take segments by features instead, the truth first
as well.
"""

from tsad_keras.evaluation.affiliation import (
    affiliation_f1_score,
    affiliation_precision_score,
    affiliation_recall_score,
    affiliation_scores,
)
from tsad_keras.evaluation.events import (
    best_point_adjusted_f1_score,
    event_f1_score,
    event_precision_score,
    event_recall_score,
    labels_to_events,
    pa_k_f1_score,
    point_adjust,
    point_adjusted_f1_score,
)
from tsad_keras.evaluation.explanation import (
    hit_rate_score,
    ndcg_score,
    segment_contributions,
)
from tsad_keras.evaluation.point import (
    always_alarm_f1_score,
    average_precision_score,
    best_f1_score,
    best_f1_threshold,
    confusion_counts,
    f1_score,
    precision_score,
    recall_score,
    roc_auc_score,
)
from tsad_keras.evaluation.summary import evaluate_scores
from tsad_keras.evaluation.vus import range_auc_scores, vus_pr_score, vus_roc_score, vus_scores

__all__ = [
    "affiliation_f1_score",
    "affiliation_precision_score",
    "affiliation_recall_score",
    "affiliation_scores",
    "always_alarm_f1_score",
    "average_precision_score",
    "best_f1_score",
    "best_f1_threshold",
    "best_point_adjusted_f1_score",
    "confusion_counts",
    "evaluate_scores",
    "event_f1_score",
    "event_precision_score",
    "event_recall_score",
    "f1_score",
    "hit_rate_score",
    "labels_to_events",
    "ndcg_score",
    "pa_k_f1_score",
    "point_adjust",
    "point_adjusted_f1_score",
    "precision_score",
    "range_auc_scores",
    "recall_score",
    "roc_auc_score",
    "segment_contributions",
    "vus_pr_score",
    "vus_roc_score",
    "vus_scores",
]
