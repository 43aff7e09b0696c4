"""VUS against TSB-AD's numbers, with its own windows and thresholds and with others."""

import numpy as np
import pytest

from tsad_keras import evaluation
from tsad_keras.errors import InputError

# TSB-AD 1.5: generate_curve(labels, scores, 100, "opt", 250): VUS-PR, VUS-ROC.
VUS_100_250 = {
    "borders": (0.5383174347379138, 0.9310818193509254),
    "crowded": (0.4751995602045167, 0.8957135196732128),
    "points": (0.5631559282011083, 0.9497152592441963),
    "long": (0.6568071494283986, 0.8509840263471987),
    "short": (0.9370988306268668, 0.9858266781053533),
}

# TSB-AD 1.5: generate_curve(labels, scores, 17, "opt", 40).
VUS_17_40 = {
    "borders": (0.4146856136378035, 0.8837793621406392),
    "crowded": (0.35664585747122224, 0.8325954173045483),
    "points": (0.13105421638665404, 0.8110084141543523),
    "long": (0.6119371754850503, 0.819467446238476),
    "short": (0.6909204444323317, 0.9254280287946559),
}

# TSB-AD 1.5: areas under the curves that RangeAUC_volume_opt(labels, scores, 30, 250) returns for
# its last window (steps for PR, trapezoids for ROC).
RANGE_30 = {
    "borders": (0.46727016447505454, 0.9146815746072814),
    "crowded": (0.42252067700538737, 0.8783334012082302),
    "points": (0.43879409158639066, 0.9638873365469547),
    "long": (0.6451617137192137, 0.8410833526373744),
    "short": (0.9816343557136935, 0.9979079964466475),
}

# aeon 1.6.0: range_roc_auc_score(labels, scores, buffer_size=0); without a buffer both packages
# mean the same (with one, aeon's slopes begin one point earlier).
RANGE_ROC_0 = {
    "borders": 0.8318151147098516,
    "crowded": 0.7644480299090406,
    "points": 0.5402857142857143,
    "long": 0.8096447140381283,
    "short": 0.86,
}


@pytest.mark.parametrize("name", VUS_100_250)
def test_vus_with_defaults(make_case, name):
    labels, scores, _ = make_case(name)
    values = list(evaluation.vus_scores(labels, scores).values())
    assert values == pytest.approx(VUS_100_250[name], abs=1e-12)


@pytest.mark.parametrize("name", VUS_17_40)
def test_vus_with_other_windows_and_thresholds(make_case, name):
    labels, scores, _ = make_case(name)
    values = list(evaluation.vus_scores(labels, scores, 17, 40).values())
    assert values == pytest.approx(VUS_17_40[name], abs=1e-12)


def test_vus_of_binary_scores(make_case):
    labels, _, predictions = make_case("crowded")
    values = list(evaluation.vus_scores(labels, predictions).values())
    # TSB-AD 1.5: generate_curve(labels, predictions, 100, "opt", 250).
    assert values == pytest.approx([0.3870705496476172, 0.781437233425226], abs=1e-12)


def test_vus_of_a_constant_score(make_case):
    labels, scores, _ = make_case("borders")
    values = list(evaluation.vus_scores(labels, np.zeros_like(scores)).values())
    # TSB-AD 1.5: generate_curve(labels, zeros, 100, "opt", 250).
    assert values == pytest.approx([0.41580838473346476, 0.6170661645047548], abs=1e-12)


def test_vus_of_dense_anomalies_with_ties():
    rng = np.random.default_rng(9)
    labels = (rng.random(300) < 0.4).astype(int)
    scores = rng.integers(0, 9, 300).astype(float) + labels
    values = list(evaluation.vus_scores(labels, scores).values())
    # TSB-AD 1.5: generate_curve(labels, scores, 100, "opt", 250).
    assert values == pytest.approx([0.9785412929191449, 0.9836373696442137], abs=1e-12)


def test_vus_with_a_single_threshold(make_case):
    labels, scores, _ = make_case("short")
    values = list(evaluation.vus_scores(labels, scores, 100, 1).values())
    # TSB-AD 1.5: generate_curve(labels, scores, 100, "opt", 1).
    assert values == pytest.approx([0.1821782178217819, 0.5910891089108921], abs=1e-12)


@pytest.mark.parametrize("name", RANGE_30)
def test_single_window(make_case, name):
    labels, scores, _ = make_case(name)
    values = list(evaluation.range_auc_scores(labels, scores, window=30).values())
    assert values == pytest.approx(RANGE_30[name], abs=1e-12)


@pytest.mark.parametrize("name", RANGE_ROC_0)
def test_window_zero(make_case, name):
    labels, scores, _ = make_case(name)
    value = evaluation.range_auc_scores(labels, scores, window=0)["range_auc_roc_score"]
    assert value == pytest.approx(RANGE_ROC_0[name], abs=1e-12)


def test_volume_is_the_mean_of_its_slices(make_case):
    labels, scores, _ = make_case("crowded")
    slices = [evaluation.range_auc_scores(labels, scores, window) for window in range(24)]
    for name in ("pr", "roc"):
        mean = np.mean([areas[f"range_auc_{name}_score"] for areas in slices])
        volume = evaluation.vus_scores(labels, scores, max_window=23)[f"vus_{name}_score"]
        assert volume == pytest.approx(mean, abs=1e-12)


def test_single_metrics_are_the_entries_of_the_dictionary(make_case):
    labels, scores, _ = make_case("crowded")
    both = evaluation.vus_scores(labels, scores, 20, 60)
    assert evaluation.vus_pr_score(labels, scores, 20, 60) == both["vus_pr_score"]
    assert evaluation.vus_roc_score(labels, scores, 20, 60) == both["vus_roc_score"]


def test_only_the_order_of_the_scores_counts(make_case):
    labels, scores, _ = make_case("crowded")
    assert evaluation.vus_scores(labels, np.exp(scores)) == evaluation.vus_scores(labels, scores)


@pytest.mark.parametrize("value", [-1, 1.5, True, None, "100"])
def test_windows_and_thresholds_are_integers(value):
    with pytest.raises(InputError, match="max_window is"):
        evaluation.vus_scores([0, 1], [0, 1], max_window=value)
    with pytest.raises(InputError, match="num_thresholds is"):
        evaluation.vus_scores([0, 1], [0, 1], num_thresholds=value)
    with pytest.raises(InputError, match="window is"):
        evaluation.range_auc_scores([0, 1], [0, 1], window=value)
