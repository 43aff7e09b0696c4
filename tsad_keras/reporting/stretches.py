"""Which parts of a long test series a reader should look at."""

from __future__ import annotations

import numpy as np

from tsad_keras.evaluation import labels_to_events


def stretch_length(num_timesteps: int, window_size: int) -> int:
    """Time steps of a stretch: ten windows, or a quarter of the series if that is shorter.

    But at least two windows, and never more than the series has.

    Example:
        >>> stretch_length(88_000, 100), stretch_length(2000, 100), stretch_length(150, 100)
        (1000, 500, 150)
    """
    return min(num_timesteps, max(2 * window_size, min(10 * window_size, num_timesteps // 4)))


def best_and_worst_stretch(
    labels: np.ndarray, predictions: np.ndarray, length: int
) -> tuple[tuple[int, int], tuple[int, int]]:
    """The stretches where the alarms tell an event from normal time best, and where they err most.

    Looked at are the stretches with an event or an alarm in the middle or, if that is longer than
    three quarters of the stretch, its beginning or its end: what an event looks like shows only
    beside what is normal. Of equals the first.

    Best: of those around a true event, if possible those that begin and end in normal time, the
    highest share of alarmed anomalous steps minus share of alarmed normal steps, events shorter
    than a twentieth of the stretch counting in proportion. Worst: of those with at least a quarter
    of normal steps, if there are such, the most wrong decisions, missed or falsely alarmed.

    Args:
        labels: `(num_timesteps,)` 0/1.
        predictions: `(num_timesteps,)` 0/1.
        length: Time steps of a stretch, at most num_timesteps.

    Returns:
        Start and end (exclusive) of the best, and of the worst.

    Example:
        >>> labels = np.array([0, 0, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0])
        >>> predictions = np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0])
        >>> best_and_worst_stretch(labels, predictions, 6)
        ((0, 6), (7, 13))
    """
    labels, predictions = np.asarray(labels, bool), np.asarray(predictions, bool)
    around_events = _candidates(labels, length)
    candidates = around_events + _candidates(predictions, length)
    starts, event_lengths = np.array(candidates or [(0, 0)], dtype=np.int64).T
    anomalous = _sums(labels, length)[starts]
    found = _sums(labels & predictions, length)[starts]
    false = _sums(predictions & ~labels, length)[starts]
    worst = _first_highest(anomalous <= 0.75 * length, anomalous - found + false)
    margin = max(1, length // 20)
    at_edges = _sums(labels, margin)
    is_framed = (at_edges[starts] == 0) & (at_edges[starts + length - margin] == 0)
    separation = found / np.maximum(anomalous, 1) - false / np.maximum(length - anomalous, 1)
    weight = np.minimum(1.0, 20 * event_lengths / length)
    num_events = len(around_events) or len(starts)
    best = _first_highest(is_framed[:num_events], (weight * separation)[:num_events])
    return tuple((int(starts[i]), int(starts[i]) + length) for i in (best, worst))


def highest_stretch(scores: np.ndarray, length: int) -> tuple[int, int]:
    """The stretch around the highest score, for data without labels.

    Example:
        >>> highest_stretch(np.array([0.0, 0, 0, 0, 9, 0]), 3)
        (3, 6)
    """
    start = int(np.argmax(scores)) - length // 2
    start = max(0, min(start, len(scores) - length))
    return start, start + length


def _candidates(flags: np.ndarray, length: int) -> list[tuple[int, int]]:
    """Starts of the stretches around runs of ones, and the lengths of these runs."""
    last = len(flags) - length
    found = []
    for start, end in labels_to_events(flags):
        middles = [(start + end) // 2] if end - start <= 0.75 * length else [start, end]
        found += [(max(0, min(m - length // 2, last)), end - start) for m in middles]
    return found


def _first_highest(is_preferred: np.ndarray, values: np.ndarray) -> int:
    """Where the value is highest among the preferred ones, or among all if there are none."""
    allowed = is_preferred if is_preferred.any() else ~is_preferred
    return int(np.argmax(np.where(allowed, values, -np.inf)))


def _sums(values: np.ndarray, length: int) -> np.ndarray:
    total = np.concatenate([[0], np.cumsum(values)])
    return total[length:] - total[:-length]
