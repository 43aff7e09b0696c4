"""Log levels and bursts: units, drift, pieces and degenerate scores."""

import numpy as np
import pytest

from tsad_keras.fusion import BurstDetector, LogLevel

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
