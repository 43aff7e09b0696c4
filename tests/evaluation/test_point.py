"""Point metrics against scikit-learn's and dtaianomaly's numbers, and against their definitions."""

import subprocess
import sys

import numpy as np
import pytest

from tsad_keras import evaluation

# dtaianomaly 0.5.1: Precision, Recall, FBeta.
PRECISION_RECALL_F1 = {
    "borders": (0.42, 0.5384615384615384, 0.4719101123595505),
    "crowded": (0.3488372093023256, 0.5084745762711864, 0.41379310344827586),
    "points": (0.039735099337748346, 0.6, 0.07453416149068325),
    "long": (0.7525773195876289, 0.365, 0.4915824915824916),
    "short": (0.5, 0.6, 0.5454545454545454),
}

# dtaianomaly 0.5.1: AreaUnderROC; scikit-learn 1.9.1: average_precision_score.
ROC_AUC_AND_AVERAGE_PRECISION = {
    "borders": (0.8328716528162511, 0.3958505353980821),
    "crowded": (0.7790814248566684, 0.34152616790432233),
    "points": (0.7018367346938775, 0.09775420090193593),
    "long": (0.8097660311958405, 0.6185156799573336),
    "short": (0.92, 0.5976190476190477),
}

# scikit-learn 1.9.1: the largest f1_score over all distinct thresholds, and that threshold.
BEST_F1_AND_THRESHOLD = {
    "borders": (0.49411764705882355, 1.4584527909129874),
    "crowded": (0.41379310344827586, 1.1),
    "points": (0.23529411764705882, 3.0),
    "long": (0.5975903614457831, 1.0431974481613584),
    "short": (0.6666666666666666, 1.4),
}


@pytest.mark.parametrize("name", PRECISION_RECALL_F1)
def test_precision_recall_f1(make_case, name):
    labels, _, predictions = make_case(name)
    values = [
        metric(labels, predictions)
        for metric in (evaluation.precision_score, evaluation.recall_score, evaluation.f1_score)
    ]
    assert values == pytest.approx(PRECISION_RECALL_F1[name], abs=1e-12)


@pytest.mark.parametrize("name", ROC_AUC_AND_AVERAGE_PRECISION)
def test_areas_under_curves(make_case, name):
    labels, scores, _ = make_case(name)
    roc_auc, average_precision = ROC_AUC_AND_AVERAGE_PRECISION[name]
    assert evaluation.roc_auc_score(labels, scores) == pytest.approx(roc_auc, abs=1e-12)
    value = evaluation.average_precision_score(labels, scores)
    assert value == pytest.approx(average_precision, abs=1e-12)


@pytest.mark.parametrize("name", ROC_AUC_AND_AVERAGE_PRECISION)
def test_roc_auc_is_the_share_of_ordered_pairs(make_case, name):
    labels, scores, _ = make_case(name)
    gaps = scores[labels == 1][:, None] - scores[labels == 0][None, :]
    share = np.mean((gaps > 0) + 0.5 * (gaps == 0))
    assert evaluation.roc_auc_score(labels, scores) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("name", BEST_F1_AND_THRESHOLD)
def test_best_f1(make_case, name):
    labels, scores, _ = make_case(name)
    best_f1, threshold = BEST_F1_AND_THRESHOLD[name]
    assert evaluation.best_f1_score(labels, scores) == pytest.approx(best_f1, abs=1e-12)
    assert evaluation.best_f1_threshold(labels, scores) == pytest.approx(threshold, abs=1e-12)
    at_threshold = scores >= evaluation.best_f1_threshold(labels, scores)
    assert evaluation.f1_score(labels, at_threshold) == evaluation.best_f1_score(labels, scores)


def test_best_f1_cannot_split_equal_scores():
    # With the two 5s split, F1 would be 1; together they give 2 * 1 / (2 + 1).
    assert evaluation.best_f1_score([1, 0, 0], [5, 5, 1]) == pytest.approx(2 / 3)


def test_best_f1_threshold_prefers_fewer_alarms():
    # One hit in one alarm and two hits in four both give F1 = 2 / 3.
    labels, scores = [1, 0, 0, 1], [4.0, 3.0, 2.0, 1.0]
    assert evaluation.best_f1_score(labels, scores) == pytest.approx(2 / 3)
    assert evaluation.best_f1_threshold(labels, scores) == 4.0


@pytest.mark.parametrize("name", BEST_F1_AND_THRESHOLD)
def test_always_alarm_is_a_floor(make_case, name):
    labels, scores, _ = make_case(name)
    floor = evaluation.always_alarm_f1_score(labels)
    assert floor == evaluation.f1_score(labels, np.ones_like(labels))
    assert evaluation.best_f1_score(labels, -scores) >= floor


def test_confusion_counts(make_case):
    labels, _, predictions = make_case("crowded")
    assert evaluation.confusion_counts(labels, predictions) == {
        "true_positives": int(np.sum((labels == 1) & (predictions == 1))),
        "false_positives": int(np.sum((labels == 0) & (predictions == 1))),
        "false_negatives": int(np.sum((labels == 1) & (predictions == 0))),
        "true_negatives": int(np.sum((labels == 0) & (predictions == 0))),
    }


@pytest.mark.parametrize("num_levels", [2, 7, 10**9])
@pytest.mark.parametrize("seed", range(3))
def test_areas_are_those_of_scikit_learn(num_levels, seed):
    """Which is not imported for them: it would be half of the time that `evaluate` takes."""
    metrics = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(seed)
    labels = random.random(501) < 0.2
    scores = random.integers(0, num_levels, 501) + 1.5 * labels
    expected = (
        metrics.roc_auc_score(labels, scores),
        metrics.average_precision_score(labels, scores),
    )
    found = (
        evaluation.roc_auc_score(labels, scores),
        evaluation.average_precision_score(labels, scores),
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_evaluation_needs_neither_scikit_learn_nor_tensorflow():
    code = (
        "import sys, tsad_keras.evaluation as e; e.evaluate_scores([0, 1, 0], [1.0, 2.0, 0.5]);"
        "print([name for name in ('sklearn', 'scipy', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
