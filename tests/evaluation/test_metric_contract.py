"""What holds for every metric: refusals, degenerate input, range, and pure functions."""

import inspect

import numpy as np
import pytest

from tsad_keras import evaluation
from tsad_keras.errors import InputError

# Metric -> value where nothing is anomalous, value where everything is.
SCORE_METRICS = {
    "roc_auc_score": (0.5, 0.5),
    "vus_roc_score": (0.5, 0.5),
    "average_precision_score": (0.0, 1.0),
    "vus_pr_score": (0.0, 1.0),
    "best_f1_score": (0.0, 1.0),
    "best_point_adjusted_f1_score": (0.0, 1.0),
}
PREDICTION_METRICS = [
    "precision_score",
    "recall_score",
    "f1_score",
    "point_adjusted_f1_score",
    "pa_k_f1_score",
    "event_precision_score",
    "event_recall_score",
    "event_f1_score",
    "affiliation_precision_score",
    "affiliation_recall_score",
    "affiliation_f1_score",
]
NOT_A_SINGLE_NUMBER = {
    "affiliation_scores",
    "confusion_counts",
    "evaluate_scores",
    "labels_to_events",
    "point_adjust",
    "range_auc_scores",
    "vus_scores",
}
OF_SCORES = [*SCORE_METRICS, "best_f1_threshold", "vus_scores", "range_auc_scores"]
OF_PREDICTIONS = [*PREDICTION_METRICS, "affiliation_scores", "confusion_counts", "point_adjust"]
OF_BOTH = [*OF_SCORES, "evaluate_scores", *OF_PREDICTIONS]
OF_LABELS = ["always_alarm_f1_score", "labels_to_events"]
OF_EXPLANATIONS = ["hit_rate_score", "ndcg_score", "segment_contributions"]  # test_explanation.py


def test_every_public_function_is_under_contract():
    listed = {*OF_BOTH, *OF_LABELS}
    assert listed | {*OF_EXPLANATIONS} == set(evaluation.__all__)
    assert {*SCORE_METRICS, *PREDICTION_METRICS} <= listed - NOT_A_SINGLE_NUMBER


@pytest.mark.parametrize("name", OF_BOTH)
def test_labels_come_first(name):
    parameters = list(inspect.signature(getattr(evaluation, name)).parameters)
    second = "predictions" if name in OF_PREDICTIONS else "scores"
    assert parameters[:2] == ["labels", second]


@pytest.mark.parametrize("name", SCORE_METRICS)
@pytest.mark.parametrize("num_timesteps", [1, 2, 50])
@pytest.mark.parametrize("constant", [True, False])
def test_one_class_of_labels(name, num_timesteps, constant):
    metric = getattr(evaluation, name)
    scores = np.zeros(num_timesteps) if constant else np.arange(num_timesteps) / 7
    if_normal, if_anomalous = SCORE_METRICS[name]
    assert metric(np.zeros(num_timesteps, dtype=int), scores) == if_normal
    assert metric(np.ones(num_timesteps, dtype=int), scores) == if_anomalous


@pytest.mark.parametrize("name", PREDICTION_METRICS)
@pytest.mark.parametrize("num_timesteps", [1, 2, 50])
def test_no_anomaly_or_no_alarm_gives_zero(name, num_timesteps):
    metric = getattr(evaluation, name)
    nothing = np.zeros(num_timesteps, dtype=int)
    everything = np.ones(num_timesteps, dtype=int)
    assert metric(nothing, nothing) == 0.0
    assert metric(nothing, everything) == 0.0
    assert metric(everything, nothing) == 0.0
    assert metric(everything, everything) == 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("roc_auc_score", 0.5),
        ("average_precision_score", 0.3),
        ("best_f1_score", 0.6 / 1.3),
        ("best_point_adjusted_f1_score", 0.6 / 1.3),
        ("best_f1_threshold", 4.0),
    ],
)
def test_constant_score(name, value):
    labels = [0, 1, 1, 0, 0, 0, 0, 1, 0, 0]
    assert getattr(evaluation, name)(labels, [4.0] * 10) == pytest.approx(value, abs=1e-12)


def test_remaining_degenerate_values():
    assert evaluation.always_alarm_f1_score([0]) == 0.0
    assert evaluation.always_alarm_f1_score([1]) == 1.0
    assert evaluation.best_f1_threshold([0, 0, 0], [1.0, 3.0, 2.0]) == 3.0


@pytest.mark.parametrize("name", [*SCORE_METRICS, *PREDICTION_METRICS])
@pytest.mark.parametrize("case", ["borders", "crowded", "points", "long", "short"])
def test_plain_float_in_the_unit_interval_and_input_untouched(make_case, name, case):
    labels, scores, predictions = make_case(case)
    second = scores if name in SCORE_METRICS else predictions
    labels_before, second_before = labels.copy(), second.copy()
    value = getattr(evaluation, name)(labels, second)
    assert type(value) is float
    assert 0 <= value <= 1
    assert np.array_equal(labels, labels_before)
    assert np.array_equal(second, second_before)


@pytest.mark.parametrize("name", [*SCORE_METRICS, *PREDICTION_METRICS])
def test_perfect_output_gives_one(make_case, name):
    labels, _, _ = make_case("crowded")
    # A VUS of less than 1 is right here: the soft slopes ask for alarms beside the events.
    expected = pytest.approx(1.0) if "vus" not in name else pytest.approx(1.0, abs=0.5)
    assert getattr(evaluation, name)(labels, labels) == expected


@pytest.mark.parametrize("name", OF_BOTH)
@pytest.mark.parametrize(
    ("labels", "second", "message"),
    [
        ([0, 1, 0], [0, 1], "length 3 and .* length 2, expected equal"),
        ([], [], "labels are empty"),
        ([[0, 1]], [0, 1], r"labels have shape \(1, 2\), expected \(num_timesteps,\)"),
        ([0, 1], [[0], [1]], r"have shape \(2, 1\), expected \(num_timesteps,\)"),
        ([0, 2], [0, 1], "labels hold 1 values other than 0 and 1 .first: 2 at index 1"),
        ([0, float("nan")], [0, 1], "labels hold 1 values other than 0 and 1"),
        ([0.3, 0.7], [0, 1], "labels hold 2 values .* pass the 0/1 labels first"),
        (["0", "1"], [0, 1], "labels have dtype"),
        ([0, None], [0, 1], "labels have dtype object"),
        ([0, 1], ["a", "b"], "have dtype"),
        ([0, 1], [[0], [1, 2]], "cannot be read as an array|dtype object"),
        (1, 1, r"labels have shape \(\)"),
    ],
)
def test_unusable_input(name, labels, second, message):
    with pytest.raises(InputError, match=message):
        getattr(evaluation, name)(labels, second)


@pytest.mark.parametrize("name", [*OF_SCORES, "evaluate_scores"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_scores_must_be_finite(name, value):
    with pytest.raises(InputError, match="scores hold 1 NaN or infinite .* index 2"):
        getattr(evaluation, name)([0, 1, 0], [0.1, 0.2, value])


@pytest.mark.parametrize("name", OF_PREDICTIONS)
@pytest.mark.parametrize("value", [0.5, 2, -1, float("nan")])
def test_scores_are_no_predictions(name, value):
    with pytest.raises(InputError, match="predictions hold 1 values other .*scores >= threshold"):
        getattr(evaluation, name)([0, 1, 0], [0, 1, value])


@pytest.mark.parametrize("name", OF_SCORES)
def test_binary_scores_are_scores(name):
    labels, binary = [0, 1, 1, 0], [0, 1, 0, 1]
    metric = getattr(evaluation, name)
    assert metric(labels, binary) == metric(labels, np.array(binary, dtype=bool))


@pytest.mark.parametrize("name", OF_LABELS)
@pytest.mark.parametrize("labels", [[], [[0, 1]], [0, 3], ["x"], [None]])
def test_unusable_labels(name, labels):
    with pytest.raises(InputError, match="labels"):
        getattr(evaluation, name)(labels)
