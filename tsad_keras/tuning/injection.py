"""Anomalies put into held-out normal rows, as the yardstick of a search that may see no test data.

They are not those of the synthetic set (`datasets.synthetic`): other kinds, lengths and numbers of
features, and sizes in standard deviations of the feature itself, not of its noise. So settings that
only fit the way in which that set was made are not rewarded. With x a feature's course in a
segment, s its standard deviation on the training part and A the segment's strength:

    spike      x + 3 A s at single rows, 5 to 20 rows apart; the sign drawn for each feature
    offset     x + A s, the sign likewise
    noise      x + A s e,  e ~ N(0, 1)
    trend      x + 2 A s (row / length), the sign likewise
    scale      mean + (1 + 2 A) (x - mean)
    flat       the first value of the segment all along
    reversal   the segment backwards
    swap       the feature's own rows from another place of the series

The last three keep every value within what is normal and break only its course, or its relation to
the features that are not touched.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tsad_keras.errors import InputError

KINDS = ("spike", "offset", "noise", "trend", "scale", "flat", "reversal", "swap")
STRENGTHS = (0.15, 1.5)  # from hidden in the noise to plain to see; drawn evenly on a log scale
LENGTHS = (5, 150)  # rows; likewise
LARGEST_SHARE = 0.3  # of the features that vary; at least one is touched
ANOMALY_RATIO = 0.1  # of all rows, about


@dataclasses.dataclass(frozen=True)
class Injected:
    """A series with anomalies.

    Attributes:
        values: `(num_timesteps, num_features)`.
        flags: `(num_timesteps,)` int8, 1 where an anomaly is.
        kinds: Kind of each anomaly, in the order of time.
    """

    values: np.ndarray
    flags: np.ndarray
    kinds: tuple[str, ...]


def inject(values: np.ndarray, spread: np.ndarray, seed: int) -> Injected:
    """Puts anomalies of all kinds into a copy of a series.

    The series is cut into as many equal stretches as there are anomalies, and each stretch gets one
    that does not fill more than half of it: none touches another, and normal rows remain between.

    Args:
        values: `(num_timesteps, num_features)` normal rows; missing values stay missing.
        spread: `(num_features,)` standard deviations on the training part; features with 0 are left
            alone.
        seed: The same one gives the same anomalies.

    Raises:
        InputError: If no feature varies, or the series is shorter than 20 rows.

    Example:
        >>> waves = np.sin(np.arange(2000.0))[:, None] * np.ones(4)
        >>> injected = inject(waves, waves.std(axis=0), seed=0)
        >>> bool(0.05 < injected.flags.mean() < 0.2)
        True
    """
    alive = np.flatnonzero(spread > 0)
    if alive.size == 0 or len(values) < 4 * LENGTHS[0]:
        raise InputError(
            f"{len(values)} held-out rows with {alive.size} features that vary came, expected at "
            f"least {4 * LENGTHS[0]} rows and one such feature; use a longer training series"
        )
    random = np.random.default_rng(seed)
    made, flags = np.array(values, np.float64), np.zeros(len(values), np.int8)
    mean_length = (LENGTHS[1] - LENGTHS[0]) / np.log(LENGTHS[1] / LENGTHS[0])
    count = max(1, round(ANOMALY_RATIO * len(values) / mean_length))
    rounds = [random.permutation(KINDS) for _ in range(-(-count // len(KINDS)))]
    kinds = tuple(str(kind) for kind in np.concatenate(rounds)[:count])
    borders = np.linspace(0, len(values), count + 1).astype(int)
    for kind, first, end in zip(kinds, borders[:-1], borders[1:], strict=True):
        length = int(min(_log_uniform(random, *LENGTHS), (end - first) // 2))
        start = int(random.integers(first, end - length + 1))
        most = max(1, int(LARGEST_SHARE * alive.size))
        columns = np.sort(random.choice(alive, random.integers(1, most + 1), replace=False))
        rows = slice(start, start + length)
        block = made[rows][:, columns]
        if kind == "swap":
            made[rows, columns] = _from_elsewhere(values[:, columns], start, length, random)
        else:
            made[rows, columns] = _changed(kind, block, spread[columns], random)
        flags[rows] = 1
    return Injected(made, flags, kinds)


def _changed(
    kind: str, block: np.ndarray, spread: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """The rows of a segment `(length, num_touched)` with an anomaly of one kind."""
    length, width = block.shape
    size = _log_uniform(random, *STRENGTHS)
    signed = size * spread * random.choice([-1.0, 1.0], width)
    if kind == "offset":
        return block + signed
    if kind == "noise":
        return block + size * spread * random.standard_normal(block.shape)
    if kind == "trend":
        return block + 2.0 * signed * (np.arange(1, length + 1) / length)[:, None]
    if kind == "scale":
        present = ~np.isnan(block)
        sums = np.where(present, block, 0.0).sum(axis=0)
        mean = sums / np.maximum(present.sum(axis=0), 1)  # no warning where all is missing
        return mean + (1.0 + 2.0 * size) * (block - mean)
    if kind == "flat":
        return np.repeat(block[:1], length, axis=0)
    if kind == "reversal":
        return block[::-1]
    onsets = np.cumsum(random.integers(5, 21, length // 5 + 1))
    onsets = onsets - onsets[0]
    spiked = block.copy()
    spiked[onsets[onsets < length]] += 3.0 * signed
    return spiked


def _from_elsewhere(
    values: np.ndarray, start: int, length: int, random: np.random.Generator
) -> np.ndarray:
    """As many rows of the same columns from a place that does not overlap with these."""
    starts = np.arange(len(values) - length + 1)
    starts = starts[np.abs(starts - start) >= length]
    other = int(random.choice(starts)) if starts.size else 0
    return values[other : other + length]


def _log_uniform(random: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))
