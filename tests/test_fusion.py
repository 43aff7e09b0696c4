"""Log levels and bursts: units, drift, pieces and degenerate scores."""

import numpy as np
import pytest

from tsad_keras.fusion import BurstDetector, FusedScore, FusionLevels, LogLevel

RANDOM = np.random.default_rng(0)
NORMAL = np.exp(RANDOM.normal(2.0, 1.0, 5000))


def test_normal_scores_are_standardised():
    standard = LogLevel.of(NORMAL).standardise(NORMAL)
    assert abs(standard.mean()) < 1e-9
    assert standard.std() == pytest.approx(1 / np.sqrt(1 + 0.1**2), abs=0.03)


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_the_unit_of_a_score_does_not_matter(factor):
    expected = LogLevel.of(NORMAL).standardise(NORMAL)
    scaled = LogLevel.of(factor * NORMAL).standardise(factor * NORMAL)
    np.testing.assert_allclose(scaled, expected, atol=1e-6)


@pytest.mark.parametrize("normal", [np.zeros(10), np.full(10, 3.0)])
def test_constant_normal_scores_do_not_divide_by_nothing(normal):
    level = LogLevel.of(normal)
    values = level.standardise(np.array([0.0, 3.0, 1e6]))
    assert np.all(np.isfinite(values)) and np.all(np.diff(values) > 0)


def reference_bursts(scores, level, span):
    """The docstring's rule, one time step after the other."""
    alpha, mean, variance = 2 / (span + 1), level.mean, level.variance
    found = []
    for score in scores:
        deviation = np.log(score + level.offset) - mean
        found.append(max(0.0, deviation / (np.sqrt(variance) + 0.05) - 2.0))
        mean += alpha * deviation
        variance += alpha * (deviation**2 - variance)
    return np.array(found)


def test_bursts_follow_the_rule():
    level = LogLevel.of(NORMAL[:100])
    found = BurstDetector(level, 20).update(NORMAL[:500])
    np.testing.assert_allclose(found, reference_bursts(NORMAL[:500], level, 20), atol=1e-9)
    assert found.max() > 0


def test_pieces_and_moved_state_change_nothing():
    level = LogLevel.of(NORMAL)
    whole = BurstDetector(level, 20).update(NORMAL)
    first = BurstDetector(level, 20)
    parts = [first.update(NORMAL[:7]), first.update(NORMAL[7:7]), first.update(NORMAL[7:900])]
    second = BurstDetector(level, 20)
    second.set_state(first.get_state())
    parts.append(second.update(NORMAL[900:]))
    np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-12)


def test_a_burst_shows_on_a_moved_level():
    scores = 1000 * NORMAL
    scores[3000] *= 1000
    bursts = BurstDetector(LogLevel.of(NORMAL), 100).update(scores)
    assert int(np.argmax(bursts[1000:])) == 2000
    assert np.median(bursts[1000:]) == 0


FEATURES = 3


def point_outputs(num_timesteps, seed=0, views=4):
    random = np.random.default_rng(seed)
    return random.gamma(2.0, 1.0, (num_timesteps, views * FEATURES))


def fused(levels=None, burst_span=20, **settings):
    levels = levels or FusionLevels.of([point_outputs(500, 1)], SCALE)
    return FusedScore(levels, error_scale=SCALE, burst_span=burst_span, **settings)


SCALE = np.array([1.0, 2.0, 4.0])
PARTS = ("has_reconstruction", "has_memory", "has_smoothing")


def test_the_fused_score_is_the_formula():
    normal, outputs = point_outputs(500, 1), point_outputs(80, 2)
    levels = FusionLevels.of([normal[:200], normal[200:]], SCALE)
    means = normal[:, 6:9].mean(axis=0)
    pattern_scale = np.maximum(means, 0.5 * means.mean())
    np.testing.assert_allclose(levels.pattern_scale, pattern_scale)

    def parts(values):
        scales = (SCALE, SCALE, pattern_scale, np.ones(3))
        return [
            (values[:, 3 * i : 3 * i + 3] / scale).mean(axis=1) for i, scale in enumerate(scales)
        ]

    standard = [
        LogLevel.of(known).standardise(found)
        for known, found in zip(parts(normal), parts(outputs), strict=True)
    ]
    bursts = BurstDetector(LogLevel.of(parts(normal)[0]), 20).update(parts(outputs)[0])
    expected = np.log1p(np.exp(standard[1] + standard[2] + 0.5 * standard[3] + 2 * bursts))
    contributions = fused(levels).update(outputs)
    np.testing.assert_allclose(contributions.sum(axis=1), expected, rtol=1e-9)
    assert (contributions >= 0).all()


def test_a_view_explains_what_it_found():
    outputs = point_outputs(80, 2)
    outputs[40] = point_outputs(500, 1).mean(axis=0)  # nothing strange in any view
    for view in (1, 2, 3):  # smoothed, pattern, level
        changed = outputs.copy()
        changed[40, 3 * view + 1] *= 1e4
        contributions = fused(burst_span=0).update(changed)
        assert contributions[40, 1] > 0.9 * contributions[40].sum()


def test_a_burst_is_explained_by_its_own_row():
    outputs = point_outputs(80, 2)
    outputs[40, 1] = 1e4  # raw error of feature 1, which the smoothed one has not
    contributions = fused().update(outputs)
    assert contributions[40, 1] > 0.7 * contributions[40].sum()
    without = fused(burst_span=0).update(outputs)
    assert without[40, 1] > without[39, 1]


def test_moved_levels_are_explained_by_the_reconstruction_where_it_is_strange():
    outputs = point_outputs(80, 2)
    outputs[40, [3 + 0, 9 + 1]] = 1e6  # smoothed error of feature 0, level of feature 1
    contributions = fused(burst_span=0).update(outputs)[40]
    assert contributions[0] > 0.9 * contributions.sum()
    no_reconstruction = fused(burst_span=0, has_reconstruction=False).update(outputs)[40]
    assert no_reconstruction[1] > 0.9 * no_reconstruction.sum()


@pytest.mark.parametrize(
    ("settings", "columns"),
    [
        ({"has_memory": False}, slice(6, 12)),
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
    expected = fused(**left_out).update(outputs).sum(axis=1)
    whole = fused(**left_out).scores(outputs)
    np.testing.assert_allclose(whole, expected, rtol=1e-12)
    pieces = fused(**left_out)
    cut = [pieces.scores(part) for part in np.split(outputs, [1, 2, 30, 30])]
    np.testing.assert_array_equal(np.concatenate(cut), whole)


def test_weights_outlive_calibration():
    outputs, weight = point_outputs(500, 1), np.array([1.0, 0.1, 1.0])
    plain = FusionLevels.of([outputs], SCALE).pattern_scale
    weighted = FusionLevels.of([outputs], SCALE, weight=weight).pattern_scale
    np.testing.assert_allclose(weighted * weight, plain)
    uncalibrated = FusionLevels.of([outputs], SCALE, calibrate=False, weight=weight)
    assert uncalibrated.pattern_scale.tolist() == [1, 1, 1]


def test_levels_survive_as_arrays_and_refuse_other_shapes():
    for views in (2, 4):
        levels = FusionLevels.of([point_outputs(100, 5, views)], SCALE)
        again = FusionLevels.from_arrays(levels.arrays(), FEATURES)
        outputs = point_outputs(30, 6, views)
        np.testing.assert_array_equal(fused(again).update(outputs), fused(levels).update(outputs))
    with pytest.raises(ValueError, match="pattern_scale has shape"):
        FusionLevels.from_arrays(levels.arrays(), FEATURES + 1)
    with pytest.raises(ValueError, match="fusion_levels has shape"):
        FusionLevels.from_arrays({"fusion_levels": np.zeros((3, 3))}, FEATURES)
    with pytest.raises(KeyError):
        FusionLevels.from_arrays({"fusion_levels": np.zeros((4, 3))}, FEATURES)


def test_no_errors_at_all_are_finite_and_shared_evenly():
    levels = FusionLevels.of([np.zeros((10, 12))], SCALE)
    contributions = fused(levels).update(np.zeros((4, 12)))
    assert np.isfinite(contributions).all()
    np.testing.assert_allclose(contributions, contributions[:, :1] * np.ones(3))
