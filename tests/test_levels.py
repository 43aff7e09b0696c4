"""Log levels, bursts and calibration: units, drift, pieces and degenerate scores."""

import numpy as np
import pytest

from tsad_keras.levels import BurstDetector, FusionLevels, LogLevel, view_scales, view_sums

RANDOM = np.random.default_rng(0)
NORMAL = np.exp(RANDOM.normal(2.0, 1.0, 5000))
FEATURES = 3
SCALE = np.array([1.0, 2.0, 4.0])
# Columns that outputs have, and the scales of the views that they are.
VIEWS = pytest.mark.parametrize(
    ("views", "scales"),
    [
        (2, view_scales(SCALE)),
        (3, view_scales(SCALE, SCALE / 7)),
        (3, view_scales(SCALE, shift_scale=SCALE / 5)),
        (4, view_scales(SCALE)),
        (6, view_scales(SCALE, SCALE / 7, SCALE / 5)),
    ],
)


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


def point_outputs(num_timesteps, seed=0, views=4):
    random = np.random.default_rng(seed)
    return random.gamma(2.0, 1.0, (num_timesteps, views * FEATURES))


@VIEWS
def test_pieces_of_normal_outputs_give_the_levels_of_the_whole(views, scales):
    outputs = point_outputs(300, 2, views)
    whole = FusionLevels.of([outputs], scales).arrays()
    pieces = (outputs[first : first + 70] for first in range(0, 300, 70))
    found = FusionLevels.of(pieces, scales).arrays()
    assert found.keys() == whole.keys()
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values)


def test_weights_outlive_calibration():
    outputs, weight = point_outputs(500, 1), np.array([1.0, 0.1, 1.0])
    scales = view_scales(SCALE)
    plain = FusionLevels.of([outputs], scales).pattern_scale
    weighted = FusionLevels.of([outputs], scales, weight=weight).pattern_scale
    np.testing.assert_allclose(weighted * weight, plain)
    uncalibrated = FusionLevels.of([outputs], scales, calibrate=False, weight=weight)
    assert uncalibrated.pattern_scale.tolist() == [1, 1, 1]


@VIEWS
def test_levels_survive_as_arrays(views, scales):
    levels = FusionLevels.of([point_outputs(100, 5, views)], scales)
    again = FusionLevels.from_arrays(levels.arrays(), FEATURES)
    outputs = point_outputs(30, 6, views)
    assert again.arrays().keys() == levels.arrays().keys()
    found = view_sums(outputs, again.scales(SCALE))
    expected = view_sums(outputs, levels.scales(SCALE))
    assert len(found) == views and list(found) == list(expected)
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected[name])
        assert getattr(again, name) == getattr(levels, name)


def test_arrays_of_other_shapes_are_refused():
    arrays = FusionLevels.of([point_outputs(100, 5, 6)], view_scales(SCALE, SCALE, SCALE)).arrays()
    for name in ("forecast_scale", "shift_scale", "pattern_scale"):
        with pytest.raises(ValueError, match=f"{name} has shape"):
            FusionLevels.from_arrays({**arrays, name: np.ones(FEATURES + 1)}, FEATURES)
        without = {key: array for key, array in arrays.items() if key != name}
        with pytest.raises(ValueError, match="fusion_levels has shape"):
            FusionLevels.from_arrays(without, FEATURES)
    with pytest.raises(KeyError):
        FusionLevels.from_arrays({}, FEATURES)


def test_sums_do_not_depend_on_how_many_rows_come_at_once():
    random = np.random.default_rng(0)
    outputs, scales = random.random((500, 152)), random.random((2, 38)) + 0.1
    scales = view_scales(scales[0], pattern_scale=scales[1])
    whole = view_sums(outputs, scales)
    pieces = [view_sums(part, scales) for part in np.split(outputs, [1, 2, 30, 33])]
    for name, view in whole.items():
        np.testing.assert_array_equal(np.concatenate([piece[name] for piece in pieces]), view)
