"""The summary: which keys, in which order, and that each is its metric's own value."""

import json

import numpy as np
import pytest

from tsad_keras import evaluation
from tsad_keras.errors import InputError

SCORE_KEYS = [
    "vus_pr_score",
    "vus_roc_score",
    "average_precision_score",
    "roc_auc_score",
    "best_f1_score",
]
PREDICTION_KEYS = [
    "precision_score",
    "recall_score",
    "f1_score",
    "event_f1_score",
    "affiliation_precision_score",
    "affiliation_recall_score",
    "affiliation_f1_score",
    "pa_k_f1_score",
    "point_adjusted_f1_score",
]
LAST_KEY = ["best_point_adjusted_f1_score"]


def test_keys_in_order(make_case):
    labels, scores, predictions = make_case("crowded")
    assert list(evaluation.evaluate_scores(labels, scores)) == SCORE_KEYS + LAST_KEY
    with_predictions = evaluation.evaluate_scores(labels, scores, predictions)
    assert list(with_predictions) == SCORE_KEYS + PREDICTION_KEYS + LAST_KEY


def test_each_value_is_its_metric(make_case):
    labels, scores, predictions = make_case("borders")
    for key, value in evaluation.evaluate_scores(labels, scores, predictions).items():
        second = predictions if key in PREDICTION_KEYS else scores
        assert value == getattr(evaluation, key)(labels, second), key


def test_max_window_reaches_the_vus_metrics(make_case):
    labels, scores, _ = make_case("borders")
    result = evaluation.evaluate_scores(labels, scores, max_window=7)
    assert result["vus_pr_score"] == evaluation.vus_pr_score(labels, scores, max_window=7)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], [0, 1, 0]])
@pytest.mark.parametrize("predictions", [[0, 0, 0], [1, 1, 1], [0, 0, 1]])
@pytest.mark.parametrize("scores", [[0, 0, 0], [0.1, 0.3, 0.2], [1e300, -1e300, 0]])
def test_always_valid_json(labels, scores, predictions):
    result = evaluation.evaluate_scores(labels, scores, predictions)
    text = json.dumps(result, allow_nan=False)
    assert all(0 <= value <= 1 for value in json.loads(text).values())


def test_scores_are_no_predictions(make_case):
    labels, scores, _ = make_case("borders")
    with pytest.raises(InputError, match="predictions hold .*scores >= threshold"):
        evaluation.evaluate_scores(labels, scores, scores)


def test_lists_columns_and_arrays_give_the_same(make_case):
    pandas = pytest.importorskip("pandas")
    labels, scores, predictions = make_case("short")
    expected = evaluation.evaluate_scores(labels, scores, predictions)
    as_lists = [labels.tolist(), scores.tolist(), predictions.astype(bool).tolist()]
    assert evaluation.evaluate_scores(*as_lists) == expected
    frame = pandas.DataFrame({"labels": labels.astype(float), "scores": scores})
    frame.index = np.arange(len(frame))[::-1]
    assert evaluation.evaluate_scores(frame["labels"], frame["scores"], predictions) == expected
