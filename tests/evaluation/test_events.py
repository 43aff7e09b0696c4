"""Event metrics against other packages' numbers and against direct loops."""

import numpy as np
import pytest

from tsad_keras import evaluation
from tsad_keras.errors import InputError

# dtaianomaly 0.5.1: PointAdjustedFBeta on the predictions, and its largest value over all distinct
# thresholds. (TSB-AD 1.5 differs for "borders", 0.71698: it never adjusts the first time step.)
POINT_ADJUSTED_AND_BEST = {
    "borders": (0.7289719626168224, 0.9090909090909091),
    "crowded": (0.6627906976744186, 0.9105691056910569),
    "points": (0.07453416149068325, 0.23529411764705882),
    "long": (0.9433962264150945, 1.0),
    "short": (0.6666666666666666, 0.888888888888889),
}

# tsadmetrics 1.0.16: PointadjustedAtKFScore with k = 0.1, 0.2, 0.5, each plus 1e-9, because it
# adjusts from k on and the paper only above k.
PA_K_10_20_50 = {
    "borders": (0.7289719626168224, 0.7289719626168224, 0.6923076923076924),
    "crowded": (0.6627906976744186, 0.6627906976744186, 0.5443037974683544),
    "points": (0.07453416149068325, 0.07453416149068325, 0.07453416149068325),
    "long": (0.9433962264150945, 0.9433962264150945, 0.4915824915824916),
    "short": (0.6666666666666666, 0.6666666666666666, 0.6666666666666666),
}

# aeon 1.6.0: range_recall(predictions, labels, alpha=1) and range_recall(labels, predictions,
# alpha=1): with alpha = 1 it is the share of ranges that are touched at all.
EVENT_PRECISION_AND_RECALL = {
    "borders": (0.2702702702702703, 1.0),
    "crowded": (0.2777777777777778, 0.8333333333333334),
    "points": (0.05357142857142857, 0.6),
    "long": (0.6712328767123288, 1.0),
    "short": (0.25, 0.5),
}


@pytest.mark.parametrize(
    ("labels", "events"),
    [
        ([0, 0], []),
        ([1], [[0, 1]]),
        ([1, 1, 0, 1], [[0, 2], [3, 4]]),
        ([0, 1, 0, 1, 1, 0], [[1, 2], [3, 5]]),
    ],
)
def test_labels_to_events(labels, events):
    found = evaluation.labels_to_events(labels)
    assert found.shape == (len(events), 2)
    assert found.tolist() == events


def test_point_adjust_reaches_both_borders_and_keeps_false_alarms():
    labels = [1, 1, 0, 0, 1, 0, 1, 1]
    predictions = [0, 1, 0, 1, 0, 0, 1, 0]
    assert evaluation.point_adjust(labels, predictions).tolist() == [1, 1, 0, 1, 0, 0, 1, 1]


def test_point_adjust_leaves_its_input_alone():
    labels, predictions = np.array([True, True]), np.array([True, False])
    evaluation.point_adjust(labels, predictions)
    assert predictions.tolist() == [True, False]


@pytest.mark.parametrize("name", POINT_ADJUSTED_AND_BEST)
def test_point_adjusted_f1(make_case, name):
    labels, scores, predictions = make_case(name)
    adjusted, best = POINT_ADJUSTED_AND_BEST[name]
    value = evaluation.point_adjusted_f1_score(labels, predictions)
    assert value == pytest.approx(adjusted, abs=1e-12)
    value = evaluation.best_point_adjusted_f1_score(labels, scores)
    assert value == pytest.approx(best, abs=1e-12)


def test_random_score_reaches_a_high_point_adjusted_f1():
    rng = np.random.default_rng(0)
    labels = np.zeros(20_000, dtype=int)
    labels[:10_000].reshape(10, 1000)[:, :600] = 1
    scores = rng.random(labels.size)
    assert evaluation.best_point_adjusted_f1_score(labels, scores) > 0.98
    assert evaluation.best_f1_score(labels, scores) < 0.5


@pytest.mark.parametrize("name", PA_K_10_20_50)
def test_pa_k(make_case, name):
    labels, _, predictions = make_case(name)
    values = [evaluation.pa_k_f1_score(labels, predictions, k=k) for k in (10, 20, 50)]
    assert values == pytest.approx(PA_K_10_20_50[name], abs=1e-12)


@pytest.mark.parametrize("name", PA_K_10_20_50)
def test_pa_k_runs_from_point_adjusted_to_plain_f1(make_case, name):
    labels, _, predictions = make_case(name)
    adjusted = evaluation.point_adjusted_f1_score(labels, predictions)
    assert evaluation.pa_k_f1_score(labels, predictions, k=0) == adjusted
    plain = evaluation.f1_score(labels, predictions)
    assert evaluation.pa_k_f1_score(labels, predictions, k=100) == plain


def test_pa_k_needs_more_than_k_percent():
    labels, predictions = [1] * 10, [1, 1] + [0] * 8
    assert evaluation.pa_k_f1_score(labels, predictions, k=20) == pytest.approx(1 / 3)
    assert evaluation.pa_k_f1_score(labels, predictions, k=19.9) == 1.0


@pytest.mark.parametrize("k", [-1, 101, float("nan"), "20", None, True])
def test_pa_k_refuses_other_percentages(k):
    with pytest.raises(InputError, match="k is"):
        evaluation.pa_k_f1_score([0, 1], [0, 1], k=k)


@pytest.mark.parametrize("name", EVENT_PRECISION_AND_RECALL)
def test_event_metrics(make_case, name):
    labels, _, predictions = make_case(name)
    precision, recall = EVENT_PRECISION_AND_RECALL[name]
    value = evaluation.event_precision_score(labels, predictions)
    assert value == pytest.approx(precision, abs=1e-12)
    assert evaluation.event_recall_score(labels, predictions) == pytest.approx(recall, abs=1e-12)
    f1 = 2 * precision * recall / (precision + recall)
    assert evaluation.event_f1_score(labels, predictions) == pytest.approx(f1, abs=1e-12)


def test_one_alarm_may_find_several_events():
    labels, predictions = [1, 0, 1, 0, 0, 1], [1, 1, 1, 0, 1, 0]
    assert evaluation.event_precision_score(labels, predictions) == 1 / 2
    assert evaluation.event_recall_score(labels, predictions) == 2 / 3


def test_touching_is_not_overlapping():
    labels, predictions = [0, 1, 1, 0], [1, 0, 0, 1]
    assert evaluation.event_f1_score(labels, predictions) == 0.0
