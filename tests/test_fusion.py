"""The fused score: its formula, whom it blames, pieces, parts left out, nothing at all."""

import numpy as np
import pytest

from tsad_keras.fusion import FusedScore
from tsad_keras.levels import BurstDetector, FusionLevels, LogLevel, view_scales

FEATURES = 3
SCALE = np.array([1.0, 2.0, 4.0])
FORECAST_SCALE = np.array([0.5, 1.0, 3.0])
SHIFT_SCALE = np.array([0.3, 2.0, 0.1])
SCALES = view_scales(SCALE, FORECAST_SCALE, SHIFT_SCALE)
PARTS = ("has_reconstruction", "has_forecast", "has_shift", "has_memory", "has_smoothing")


def point_outputs(num_timesteps, seed=0, views=6):
    random = np.random.default_rng(seed)
    return random.gamma(2.0, 1.0, (num_timesteps, views * FEATURES))


def fused(levels=None, burst_span=20, **settings):
    levels = levels or FusionLevels.of([point_outputs(500, 1)], SCALES)
    return FusedScore(levels, error_scale=SCALE, burst_span=burst_span, **settings)


def test_the_fused_score_is_the_formula():
    normal, outputs = point_outputs(500, 1), point_outputs(80, 2)
    levels = FusionLevels.of([normal[:200], normal[200:]], SCALES)
    means = normal[:, 12:15].mean(axis=0)
    pattern_scale = np.maximum(means, 0.25 * means.mean())
    np.testing.assert_allclose(levels.pattern_scale, pattern_scale)

    def parts(values):
        scales = (SCALE, SCALE, FORECAST_SCALE, SHIFT_SCALE, pattern_scale, np.ones(3))
        return [
            (values[:, 3 * i : 3 * i + 3] / scale).mean(axis=1) for i, scale in enumerate(scales)
        ]

    standard = [
        LogLevel.of(known).standardise(found)
        for known, found in zip(parts(normal), parts(outputs), strict=True)
    ]
    bursts = BurstDetector(LogLevel.of(parts(normal)[0]), 20).update(parts(outputs)[0])
    weights = (0, 1 / 4, 1, 1 / 2, 1, 1 / 4)
    total = sum(weight * part for weight, part in zip(weights, standard, strict=True))
    expected = np.log1p(np.exp(total + bursts))
    contributions = fused(levels).update(outputs)
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=1e-9)
    assert (contributions >= 0).all()


def test_a_view_explains_what_it_found():
    outputs = point_outputs(80, 2)
    outputs[40] = point_outputs(500, 1).mean(axis=0)  # nothing strange in any view
    for view in (1, 2, 3, 4, 5):  # smoothed, forecast, shift, pattern, level
        changed = outputs.copy()
        changed[40, 3 * view + 1] *= 1e4 if view in (2, 4) else 1e8  # the others weigh less
        contributions = fused(burst_span=0).update(changed)
        assert contributions[40, 1] > 0.9 * contributions[40].sum()


def test_a_burst_is_explained_by_its_own_row():
    outputs = point_outputs(80, 2)
    outputs[40, 1] = 1e4  # raw error of feature 1, which the smoothed one has not
    contributions = fused().update(outputs)
    assert contributions[40, 1] > 0.7 * contributions[40].sum()
    without, before = (
        fused(burst_span=0).update(values)[40] for values in (outputs, point_outputs(80, 2))
    )
    assert without[1] > before[1]
    assert without.sum() == pytest.approx(before.sum())


@pytest.mark.parametrize("moved", [9, 15])  # shift, level
def test_moved_levels_are_explained_by_the_reconstruction_where_it_is_strange(moved):
    outputs = point_outputs(80, 2)
    outputs[40] = point_outputs(500, 1).mean(axis=0)
    outputs[40, 3 + 0] = 1e12  # smoothed error of feature 0
    outputs[40, moved + 1] = 1e6  # shift or level of feature 1
    contributions = fused(burst_span=0).update(outputs)[40]
    assert contributions[0] > 0.9 * contributions.sum()
    no_reconstruction = fused(burst_span=0, has_reconstruction=False).update(outputs)[40]
    assert no_reconstruction[1] > 0.9 * no_reconstruction.sum()


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({"has_memory": False}, slice(12, 18)),
        ({"has_shift": False}, slice(9, 12)),
        ({"has_forecast": False}, slice(6, 9)),
        ({"has_reconstruction": False}, slice(0, 6)),
        ({"has_smoothing": False}, slice(3, 6)),
        ({"burst_span": 0}, slice(0, 3)),
    ],
)
def test_what_is_left_out_does_not_count(settings, columns):
    outputs = point_outputs(50, 3)
    changed = outputs.copy()
    changed[:, columns] *= 7
    before, after = (fused(**settings).update(values) for values in (outputs, changed))
    np.testing.assert_allclose(after.sum(axis=1), before.sum(axis=1), rtol=1e-12)
    with_all = fused().update(changed).sum(axis=1)
    assert not np.allclose(with_all, fused().update(outputs).sum(axis=1))


def test_fused_pieces_and_moved_state_change_nothing():
    outputs = point_outputs(300, 4)
    whole = fused().update(outputs)
    first, second = fused(), fused()
    parts = [first.update(outputs[:11]), first.update(outputs[11:11])]
    second.set_state(first.get_state())
    parts.append(second.update(outputs[11:]))
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-9)


@pytest.mark.parametrize("left_out", [{}, *({name: False} for name in PARTS), {"burst_span": 0}])
def test_scores_alone_are_the_sums_of_contributions_however_cut(left_out):
    outputs = point_outputs(90, 7)
    outputs[50, :FEATURES] *= 1e4  # a burst
    expected = fused(**left_out).update(outputs).sum(axis=1)
    whole = fused(**left_out).scores(outputs)
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    pieces = fused(**left_out)
    cut = [pieces.scores(part) for part in np.split(outputs, [1, 2, 30, 30])]
    np.testing.assert_array_equal(np.concatenate(cut), whole)


def test_no_errors_at_all_are_finite_and_shared_evenly():
    levels = FusionLevels.of([np.zeros((10, 18))], SCALES)
    contributions = fused(levels).update(np.zeros((4, 18)))
    assert np.isfinite(contributions).all()
    np.testing.assert_allclose(contributions, contributions[:, :1] * np.ones(3))


@pytest.mark.parametrize("forecast_scale", [None, FORECAST_SCALE])
@pytest.mark.parametrize("shift_scale", [None, SHIFT_SCALE])
@pytest.mark.parametrize("has_memory", [False, True])
def test_a_view_that_is_not_there_does_not_count(forecast_scale, shift_scale, has_memory):
    scales = view_scales(SCALE, forecast_scale, shift_scale)
    normal, outputs = (point_outputs(90, seed, len(scales) + 2 * has_memory) for seed in (1, 2))
    levels = FusionLevels.of([normal], scales)
    found = (levels.forecast is not None, levels.shift is not None, levels.pattern is not None)
    assert found == (forecast_scale is not None, shift_scale is not None, has_memory)
    whole = fused(levels).scores(outputs)
    columns = np.hstack([outputs, 1e6 * np.ones((90, 1))])  # 1 - D, which is not looked at
    np.testing.assert_array_equal(fused(levels).scores(columns), whole)
    again = FusionLevels.of([np.hstack([normal, np.ones((90, 1))])], scales)
    np.testing.assert_array_equal(fused(again).scores(outputs), whole)
