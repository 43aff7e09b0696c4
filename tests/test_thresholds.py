"""Thresholds without labels: the promised false-alarm rate on fresh samples, and odd scores."""

import numpy as np
import pytest
from scipy import stats

from tsad_keras.errors import InputError
from tsad_keras.thresholds import (
    RunningThreshold,
    choose_threshold,
    normal_level,
    percentile_threshold,
    pot_threshold,
    series_threshold,
    sigma_threshold,
)

DISTRIBUTIONS = {
    "lognormal": stats.lognorm(0.5),
    "wide_lognormal": stats.lognorm(1.0),
    "exponential": stats.expon(),
    "gamma": stats.gamma(4),
    "many_squared_normals": stats.chi2(80),
    "squared_normals": stats.chi2(10),
    "uniform": stats.uniform(),
    "heavy": stats.t(8),
}
# The rules' suppositions: a tail that is not shorter than a Pareto one of shape -0.5; log scores
# that are nearly normal.
SUITED = {
    "percentile": list(DISTRIBUTIONS),
    "pot": [name for name in DISTRIBUTIONS if name != "uniform"],
    "sigma": ["lognormal", "wide_lognormal", "many_squared_normals"],
}
METHODS = list(SUITED)


def rates_on_fresh_scores(method, name, false_alarm_rate, num_scores=4000, num_samples=10):
    """Share of infinitely many fresh scores at or above the threshold, a sample each."""
    distribution = DISTRIBUTIONS[name]
    samples = [distribution.rvs(num_scores, random_state=seed) for seed in range(num_samples)]
    return [distribution.sf(choose_threshold(s, method, false_alarm_rate)) for s in samples]


@pytest.mark.parametrize("false_alarm_rate", [0.02, 0.005])
@pytest.mark.parametrize(("method", "name"), [(m, n) for m in METHODS for n in SUITED[m]])
def test_false_alarm_rate_on_fresh_scores_is_near_the_promise(method, name, false_alarm_rate):
    rates = rates_on_fresh_scores(method, name, false_alarm_rate)
    assert false_alarm_rate / 2 < min(rates)
    assert max(rates) < false_alarm_rate * 2


@pytest.mark.parametrize(
    ("method", "name"),
    [("pot", "uniform"), *(("sigma", n) for n in ("exponential", "gamma", "uniform"))],
)
def test_an_unsuited_rule_misses_alarms_rather_than_raises_false_ones(method, name):
    assert max(rates_on_fresh_scores(method, name, 0.005)) < 0.01


@pytest.mark.parametrize("name", ["exponential", "gamma", "lognormal", "heavy"])
def test_pot_reaches_rates_beyond_the_sample(name):
    """1 in 10,000 from 2,000 scores: the percentile cannot, an extrapolated tail can."""
    rates = {m: rates_on_fresh_scores(m, name, 1e-4, 2000, 60) for m in ("pot", "percentile")}
    assert 0.5e-4 < np.median(rates["pot"]) < 2e-4
    assert np.median(rates["percentile"]) > 2e-4
    assert np.mean(rates["percentile"]) > 1.5 * np.mean(rates["pot"])


def test_pot_of_a_known_tail_is_the_known_quantile():
    scores = stats.genpareto(0.2, scale=3.0).ppf((np.arange(20_000) + 0.5) / 20_000)
    expected = stats.genpareto(0.2, scale=3.0).isf(1e-3)
    assert pot_threshold(scores, 1e-3) == pytest.approx(expected, rel=0.03)
    exponential = stats.expon().ppf((np.arange(20_000) + 0.5) / 20_000)
    assert pot_threshold(exponential, 1e-3) == pytest.approx(np.log(1e3), rel=0.03)


def test_percentile_and_sigma_by_hand():
    assert percentile_threshold(np.arange(1001.0), 0.01) == 990
    scores = np.exp(np.random.default_rng(0).normal(1.0, 0.5, 100_000))
    expected = np.exp(1.0 + stats.norm.isf(0.01) * 0.5)
    assert sigma_threshold(scores, 0.01) == pytest.approx(expected, rel=0.02)


def test_pot_of_few_scores_or_a_large_rate_is_the_percentile():
    few = np.random.default_rng(0).random(50)
    many = np.random.default_rng(0).random(1000)
    assert pot_threshold(few, 0.01) == percentile_threshold(few, 0.01)
    assert pot_threshold(many, 0.3) == percentile_threshold(many, 0.3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", [0.0, 1e-30, 0.1, 3.0, 1e12])
def test_constant_scores_give_no_alarm_and_the_next_higher_score_does(method, value):
    scores = np.full(500, value)
    threshold = choose_threshold(scores, method, 0.01)
    assert np.isfinite(threshold)
    assert not (scores >= threshold).any()
    assert value * 1.001 + 1e-6 >= threshold


@pytest.mark.parametrize("method", METHODS)
def test_stricter_rates_give_higher_thresholds(method):
    scores = DISTRIBUTIONS["gamma"].rvs(3000, random_state=0)
    rates = (0.1, 0.05, 0.01, 0.005, 0.001)
    thresholds = [choose_threshold(scores, method, rate) for rate in rates]
    assert thresholds == sorted(thresholds)
    assert len(set(thresholds)) == len(rates)


@pytest.mark.parametrize("method", METHODS)
def test_thresholds_scale_with_the_scores(method):
    scores = DISTRIBUTIONS["gamma"].rvs(3000, random_state=0)
    expected = 1e6 * choose_threshold(scores, method, 0.01)
    assert choose_threshold(scores * 1e6, method, 0.01) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("scores", [[], [1.0, np.nan], [1.0, np.inf]], ids=["none", "nan", "inf"])
def test_no_or_infinite_scores_are_an_input_error(method, scores):
    with pytest.raises(InputError, match="a threshold needs finite scores"):
        choose_threshold(np.array(scores), method, 0.01)


def test_one_score_is_enough_to_answer():
    for method in METHODS:
        assert choose_threshold(np.array([2.0]), method, 0.01) > 2.0


def test_unknown_rule_is_an_input_error():
    with pytest.raises(InputError, match=r"threshold_method is 'best', expected one of percentile"):
        choose_threshold(np.arange(10.0), "best", 0.01)


def test_the_normal_level_is_the_mean_below_the_threshold():
    assert normal_level(np.array([1.0, 3.0, 5.0, 100.0]), 5.0) == 2.0
    assert normal_level(np.array([5.0, 5.0]), 5.0) == 5.0


def moved(num_scores, seed=0):
    """Scores of normal rows whose level has moved beyond a threshold of 1, most of them at 9."""
    return 9 + np.random.default_rng(seed).normal(size=num_scores)


def test_few_alarms_leave_the_threshold_alone():
    scores = np.concatenate([np.zeros(4500), np.full(500, 5.0)])
    assert series_threshold(scores, 1.0, 0.1) == 1.0
    assert series_threshold(np.zeros(5000), 1.0, 0.1) == 1.0


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_of_a_moved_level_the_highest_share_remains(rate):
    scores = moved(5000)
    threshold = series_threshold(scores, 1.0, rate)
    assert np.mean(scores >= threshold) == pytest.approx(rate, abs=1e-3)


def test_what_stands_out_of_the_rest_is_an_alarm_beyond_that_share():
    scores = np.concatenate([moved(7000), 30 + moved(3000, 1)])
    alarms = scores >= series_threshold(scores, 1.0, 0.1)
    assert alarms[7000:].all()
    assert alarms[:7000].mean() < 0.05


def test_more_than_half_anomalous_looks_like_a_moved_level():
    scores = np.concatenate([np.zeros(2000), moved(3000)])
    assert np.mean(scores >= series_threshold(scores, 1.0, 0.1)) == pytest.approx(0.1, abs=1e-3)


def test_short_series_and_a_rate_of_one_keep_the_threshold():
    assert series_threshold(moved(999), 1.0, 0.1) == 1.0
    assert series_threshold(moved(1000), 1.0, 0.1) > 1.0
    assert series_threshold(moved(5000), 1.0, 1.0) == 1.0


def test_equal_scores_are_all_alarms_or_none():
    assert series_threshold(np.full(5000, 3.0), 1.0, 0.1) == 3.0
    assert series_threshold(np.full(5000, 3.0), 3.5, 0.1) == 3.5


def drifting():
    """Normal scores, then 12,000 of a moved level with 30 that stand out, and some missing ones."""
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.random(3000) * 0.9, moved(12_000)])
    scores[10_000:10_030] += 20
    scores[rng.integers(0, len(scores), 50)] = np.nan
    return scores


def test_a_running_threshold_is_that_of_the_scores_before_the_block():
    scores = drifting()
    thresholds = RunningThreshold(1.0, 0.1).update(scores)
    for first in (0, 900, 1000, 3100, 3300, 4000, 9900, 14_900):
        before = scores[:first][~np.isnan(scores[:first])][-10_000:].astype(np.float32)
        expected = series_threshold(before.astype(float), 1.0, 0.1)
        assert thresholds[first : first + 100].tolist() == [expected] * 100
    alarms = scores >= thresholds
    assert alarms[3000:5500].mean() > 0.98  # what is new is an alarm until it is half of all,
    assert alarms[6500:10_000].mean() < 0.2  # not for ever,
    assert alarms[10_000:10_030][~np.isnan(scores[10_000:10_030])].all()  # unless it stands out


@pytest.mark.parametrize("cuts", [[1, 7, 7, 99, 100, 101, 3333], list(range(0, 15_000, 250))])
def test_a_running_threshold_in_pieces_and_from_its_state(cuts):
    scores = drifting()
    whole = RunningThreshold(1.0, 0.1).update(scores)
    running, parts = RunningThreshold(1.0, 0.1), []
    for part in np.split(scores, cuts):
        parts.append(running.update(part))
        state, running = running.get_state(), RunningThreshold(1.0, 0.1)
        running.set_state(state)
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert len(running.get_state()["scores"]) == 10_000


def test_a_running_threshold_at_a_rate_of_one_stays():
    assert set(RunningThreshold(1.0, 1.0).update(drifting())) == {1.0}
