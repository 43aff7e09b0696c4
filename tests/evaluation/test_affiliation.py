"""Affiliation metrics against TSB-AD's copy of the authors' code and against direct sums."""

import numpy as np
import pytest

from tsad_keras import evaluation

# TSB-AD 1.5: affiliation.metrics.pr_from_events(predicted, true, (0, num_timesteps));
# dtaianomaly 0.5.1 (AffiliationPrecision, AffiliationRecall) gives the same to the last digit.
PRECISION_AND_RECALL = {
    "borders": (0.5068933498130682, 0.9940317024651958),
    "crowded": (0.7071713917046653, 0.9686149372970024),
    "points": (0.5344045197178435, 0.9762198781264744),
    "long": (0.8455333094508355, 0.998217503217503),
    "short": (0.5484848484848486, 0.6887626262626263),
}


@pytest.mark.parametrize("name", PRECISION_AND_RECALL)
def test_affiliation(make_case, name):
    labels, _, predictions = make_case(name)
    precision, recall = PRECISION_AND_RECALL[name]
    result = evaluation.affiliation_scores(labels, predictions)
    assert list(result.values()) == pytest.approx(
        [precision, recall, 2 * precision * recall / (precision + recall)], abs=1e-12
    )


@pytest.mark.parametrize("name", PRECISION_AND_RECALL)
def test_single_metrics_are_the_entries_of_the_dictionary(make_case, name):
    labels, _, predictions = make_case(name)
    for key, value in evaluation.affiliation_scores(labels, predictions).items():
        assert getattr(evaluation, key)(labels, predictions) == value


def _survival_by_counting(labels, predictions, resolution=40):
    """Precision and recall of a single event by counting fine grid moments, no integrals."""
    fine_labels = np.repeat(labels, resolution).astype(bool)
    fine_alarms = np.repeat(predictions, resolution).astype(bool)
    moments = np.arange(fine_labels.size)

    def distance(to):
        return np.abs(moments[:, None] - moments[to][None, :]).min(axis=1)

    to_event, to_alarm = distance(fine_labels), distance(fine_alarms)
    precision = np.mean([np.mean(to_event >= to_event[x]) for x in moments[fine_alarms]])
    recall = np.mean([np.mean(np.abs(moments - y) >= to_alarm[y]) for y in moments[fine_labels]])
    return precision, recall


@pytest.mark.parametrize(
    ("labels", "predictions"),
    [
        ([0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0]),
        ([0, 0, 1, 1, 1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 1, 0, 0, 0, 0, 1]),
        ([1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1]),
    ],
)
def test_closed_form_is_the_share_of_random_moments(labels, predictions):
    precision, recall = _survival_by_counting(np.array(labels), np.array(predictions))
    result = evaluation.affiliation_scores(labels, predictions)
    assert result["affiliation_precision_score"] == pytest.approx(precision, abs=0.02)
    assert result["affiliation_recall_score"] == pytest.approx(recall, abs=0.02)


def test_perfect_prediction():
    labels = [1, 0, 0, 1, 1, 0, 1]
    assert set(evaluation.affiliation_scores(labels, labels).values()) == {1.0}


def test_a_zone_without_alarm_counts_in_the_recall_only():
    labels, predictions = [0, 1, 0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, 0, 0, 0]
    result = evaluation.affiliation_scores(labels, predictions)
    assert result["affiliation_precision_score"] == 1.0
    assert result["affiliation_recall_score"] == 0.5


def test_nearer_alarms_are_worth_more():
    labels = np.zeros(100, dtype=int)
    labels[48:52] = 1
    values = []
    for start in (80, 70, 60, 53):
        predictions = np.zeros_like(labels)
        predictions[start] = 1
        values.append(evaluation.affiliation_f1_score(labels, predictions))
    assert values == sorted(values)
    assert len(set(values)) == 4
