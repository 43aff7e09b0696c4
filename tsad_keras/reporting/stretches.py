"""Which parts of a long test series a reader should look at."""

from __future__ import annotations

import numpy as np


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
    """The stretches where the alarms tell events from normal time best, and where they err most.

    Best: among the stretches with anomalous time steps and at least a quarter of normal ones, the
    highest share of alarmed anomalous steps minus share of alarmed normal steps; of equals the one
    with the most events, then with the most anomalous steps, then the first. Without such a
    stretch, the one with the fewest wrong decisions. Worst: the most wrong decisions, missed or
    falsely alarmed, of equals the first.

    Args:
        labels: `(num_timesteps,)` 0/1.
        predictions: `(num_timesteps,)` 0/1.
        length: Time steps of a stretch, at most num_timesteps.

    Returns:
        Start and end (exclusive) of the best, and of the worst.

    Example:
        >>> labels = np.array([0, 1, 1, 0, 0, 0, 1, 1])
        >>> predictions = np.array([0, 1, 1, 0, 1, 0, 0, 0])
        >>> best_and_worst_stretch(labels, predictions, 4)
        ((0, 4), (4, 8))
    """
    labels, predictions = np.asarray(labels, bool), np.asarray(predictions, bool)
    wrong = _sums(labels != predictions, length)
    anomalous = _sums(labels, length)
    found, false = _sums(labels & predictions, length), _sums(predictions & ~labels, length)
    begins = _sums(np.diff(labels, prepend=False) & labels, length)
    is_mixed = (anomalous > 0) & (anomalous <= 0.75 * length)
    separation = found / np.maximum(anomalous, 1) - false / np.maximum(length - anomalous, 1)
    if is_mixed.any():
        rank = np.lexsort((anomalous, begins, np.where(is_mixed, separation, -np.inf)))
        ties = [values == values[rank[-1]] for values in (separation, begins, anomalous)]
        best = int(np.argmax(np.logical_and.reduce(ties) & is_mixed))
    else:
        best = int(np.argmin(wrong))
    worst = int(np.argmax(wrong))
    return (best, best + length), (worst, worst + length)


def highest_stretch(scores: np.ndarray, length: int) -> tuple[int, int]:
    """The stretch around the highest score, for data without labels.

    Example:
        >>> highest_stretch(np.array([0.0, 0, 0, 0, 9, 0]), 3)
        (3, 6)
    """
    start = int(np.argmax(scores)) - length // 2
    start = max(0, min(start, len(scores) - length))
    return start, start + length


def _sums(values: np.ndarray, length: int) -> np.ndarray:
    total = np.concatenate([[0], np.cumsum(values)])
    return total[length:] - total[:-length]
