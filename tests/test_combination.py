"""Scores made comparable: monotone maps with a sensible tail, and one score of several."""

import numpy as np
import pytest

from tsad_keras.combination import COMBINATIONS, Combination, EnsembleScore, RankTable
from tsad_keras.errors import InputError
from tsad_keras.fusion import CombinedScore


@pytest.fixture
def normal():
    """Scores of three members of very unlike sizes, `(num_timesteps,)` each."""
    random = np.random.default_rng(0)
    return [random.lognormal(mean, 0.5, 3000) for mean in (-6.0, 0.0, 6.0)]


def test_the_table_gives_the_share_of_normal_scores_that_are_as_high(normal):
    table = RankTable.of(normal[1])
    for share in (0.9, 0.5, 0.1, 0.02):
        score = np.quantile(normal[1], 1 - share)
        assert table.standardise(np.array([score]))[0] == pytest.approx(-np.log(share), abs=0.05)


def test_the_table_goes_on_beyond_the_largest_normal_score_and_nothing_runs_away(normal):
    table = RankTable.of(normal[1])
    scores = normal[1].max() * np.array([0.5, 1.0, 2.0, 10.0, 1e6])
    surprises = table.standardise(scores)
    assert (np.diff(surprises) > 0.5).all()
    assert surprises[-1] < 200  # a million times the largest is no million
    assert table.standardise(np.zeros(1))[0] == 0.0


@pytest.mark.parametrize("scores", [np.full(50, 3.0), np.zeros(50), np.array([1.0, 2.0])])
def test_the_table_of_few_or_equal_scores_is_still_monotone(scores):
    table = RankTable.of(scores)
    assert (np.diff(table.knots) > 0).all()
    surprises = table.standardise(np.array([0.0, 1.0, 3.0, 30.0]))
    assert np.isfinite(surprises).all() and (np.diff(surprises) >= 0).all()
    assert surprises[-1] > 1


@pytest.mark.parametrize("mode", COMBINATIONS)
def test_members_of_unlike_sizes_count_alike(normal, mode):
    combination = Combination.of(mode, normal)
    high = [np.quantile(scores, 0.99) for scores in normal]
    middle = [np.median(scores) for scores in normal]
    raised = []
    for index in range(3):
        chosen = [high[k] if k == index else middle[k] for k in range(3)]
        raised.append(combination.combine([np.array([[score]]) for score in chosen]).sum())
    assert max(raised) / min(raised) < 1.1
    usual = combination.combine([np.array([[score]]) for score in middle]).sum()
    assert usual == pytest.approx(np.log(2), abs=0.05)  # about 0.7 is normal
    assert min(raised) > 1.5 * usual


@pytest.mark.parametrize("mode", COMBINATIONS)
def test_contributions_are_not_negative_and_follow_the_members_own(normal, mode):
    combination = Combination.of(mode, normal)
    parts = [np.array([[0.0, 5.0 * scores.max()], [0.0, 0.0]]) for scores in normal]
    combined = combination.combine(parts)
    assert (combined >= 0).all() and np.isfinite(combined).all()
    assert combined[0, 1] > 0.99 * combined[0].sum()


@pytest.mark.parametrize("mode", COMBINATIONS)
def test_a_combination_comes_back_from_its_arrays(normal, mode):
    combination = Combination.of(mode, normal)
    again = Combination.from_arrays(mode, {k: a.tolist() for k, a in combination.arrays().items()})
    parts = [scores[:7, None] for scores in normal]
    assert np.array_equal(again.combine(parts), combination.combine(parts))


def test_damaged_arrays_and_unknown_names_are_refused(normal):
    arrays = Combination.of("rank", normal).arrays()
    with pytest.raises(ValueError, match="knots has shape"):
        Combination.from_arrays("rank", {**arrays, "knots": arrays["knots"][:2]})
    with pytest.raises(KeyError):
        Combination.from_arrays("calibrated", arrays)
    with pytest.raises(InputError, match="combine is 'mean', expected one of calibrated, rank"):
        Combination.of("mean", normal)


def test_a_score_of_members_does_not_depend_on_the_pieces_and_can_go_on_elsewhere(normal):
    outputs = np.random.default_rng(1).random((40, 5))

    def make():
        judges = [
            CombinedScore(
                smoothing_span=5,
                num_features=2,
                score_mode="reconstruction" if width == 2 else "combined",
                error_scale=np.ones(2),
                realism_weight=1.0,
            )
            for width in (2, 3)
        ]
        return EnsembleScore(Combination.of("calibrated", normal[:2]), judges, (2, 3))

    whole = make().update(outputs)
    first, second = make(), make()
    begun = first.update(outputs[:13])
    second.set_state(first.get_state())
    assert np.allclose(np.concatenate([begun, second.update(outputs[13:])]), whole, atol=1e-12)
    assert not np.allclose(make().update(outputs[13:]), whole[13:])
