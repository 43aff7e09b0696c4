"""Standardisation learnt on train only, and the rule for missing values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from tsad_keras.alignment import aligned_empty
from tsad_keras.errors import InputError

_CONSTANT = 1e-13  # of a feature's magnitude: what lies closer is rounding
_BLOCK_ROWS = 8192  # treated at once, so that no copy of a whole series is made on the way


class Scaler:
    """Turns raw values into clipped z-scores, with statistics from the training part alone.

    Rules, the same for train and test:

    - scale: a feature's standard deviation on train; a feature that is constant on train (relative
      to its magnitude) gets scale 1, so that a later change still shows;
    - a feature with a weight w (`flag_weights`) is divided by its scale / sqrt(w), so that its
      squared errors and distances count w times those of other features;
    - missing values (NaN): the last seen value of the same feature; before the first seen one, the
      train mean, which is 0 after scaling;
    - z-scores beyond `clip` are cut.

    Args:
        clip: Largest absolute value that is passed on, in units of `scale_`.

    Attributes:
        mean_: `(num_features,)` train means.
        scale_: `(num_features,)` what is divided by: train standard deviations, 1 for constant
            features; more where the weight is less than 1.
        weight_: `(num_features,)` what a feature counts beside others.

    Example:
        >>> scaler = Scaler(clip=10.0).fit([np.array([[1.0], [3.0]])])
        >>> scaler.transform(np.array([[5.0], [np.nan], [1e9]])).ravel().tolist()
        [3.0, 3.0, 10.0]
    """

    def __init__(self, clip: float = 10.0) -> None:
        self.clip = clip
        self.mean_: np.ndarray | None = None
        self.scale_: np.ndarray | None = None
        self.weight_: np.ndarray | None = None

    @property
    def deviation_(self) -> np.ndarray:
        """Train standard deviations `(num_features,)` whatever the weight; 1 if constant."""
        return self.scale_ * np.sqrt(self.weight_)

    def fit(self, series: Sequence[np.ndarray], weight: np.ndarray | None = None) -> Scaler:
        """Learns mean and scale of every feature.

        Args:
            series: Arrays `(num_timesteps, num_features)`, NaN where missing.
            weight: `(num_features,)` what a feature counts beside others; default: all the same.

        Returns:
            self.

        Raises:
            InputError: If a feature has no value at all, or values beyond about 1e150.
        """
        count = sum(_column_sums(values, lambda block: ~np.isnan(block)) for values in series)
        if np.any(count == 0):
            column = int(np.flatnonzero(count == 0)[0])
            raise InputError(
                f"feature number {column + 1} has no value in the training part; "
                "remove that column or add rows in which it has values"
            )
        with np.errstate(over="ignore", invalid="ignore"):  # checked below
            mean = sum(_column_sums(values, np.asarray) for values in series) / count
            # Two passes, because sum(x^2) - n mean^2 loses all digits of large counters.
            squares = (_column_sums(values, lambda b: (b - mean) ** 2) for values in series)
            variance = sum(squares) / count
        scale = np.sqrt(variance)
        if not np.all(np.isfinite(scale)):
            column = int(np.flatnonzero(~np.isfinite(scale))[0])
            raise InputError(
                f"feature number {column + 1} has values too large for their variance, expected "
                "less than about 1e150; use another unit"
            )
        # Not by the scale: rounding of the sums would hide a counter near 1e12 that varies by 1.
        low, high = _range(series)
        constant = high - low <= _CONSTANT * np.maximum(np.abs(mean), 1e-3)
        constant |= scale == 0
        self.mean_ = mean.astype(np.float64)
        self.weight_ = np.ones(len(mean)) if weight is None else np.asarray(weight, np.float64)
        self.scale_ = np.where(constant, 1.0, scale) / np.sqrt(self.weight_)
        return self

    def transform(self, values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        """Fills, scales and clips.

        Args:
            values: `(num_timesteps, num_features)` raw values.
            state: `(num_features,)` last seen raw values of the rows before, as `last_seen`
                returns them, if `values` goes on where an earlier call stopped.

        Returns:
            `(num_timesteps, num_features)` float32 z-scores without NaN.
        """
        values = np.asarray(values, np.float64)
        result = aligned_empty(values.shape)
        for rows, block in _blocks(values):
            with np.errstate(over="ignore"):  # infinite is cut like any large value
                scaled = (fill_missing(block, state) - self.mean_) / self.scale_
            np.nan_to_num(scaled, copy=False, nan=0.0)
            result[rows] = np.clip(scaled, -self.clip, self.clip, out=scaled)
            state = last_seen(block, state)
        return result


def flag_weights(entities: Sequence[Sequence[np.ndarray]], flag_weight: float) -> np.ndarray:
    """What each feature counts beside others: flags less.

    A flag is a feature with two values on train: a command, a mode, a switch. Where one model
    serves several entities it has two values in some and is constant in the others, as all share
    what the model learns.

    Args:
        entities: The training series of each entity, arrays `(num_timesteps, num_features)`.
        flag_weight: What flags count; 1 = like other features.

    Returns:
        `(num_features,)`.

    Example:
        >>> series = np.array([[0.0, 3.1], [1.0, 3.4], [0.0, 2.7]])
        >>> flag_weights([[series]], 0.1).tolist()
        [0.1, 1.0]
    """
    is_flag = np.zeros(entities[0][0].shape[1], bool)
    if flag_weight != 1:
        counts = np.array([_count_values(series) for series in entities])
        is_flag = counts.max(axis=0) == 2
    return np.where(is_flag, flag_weight, 1.0)


def _count_values(series: Sequence[np.ndarray]) -> np.ndarray:
    """`(num_features,)` how many different values there are: at most 1, 2, or 3 for more."""
    low, high = _range(series)

    def is_between(block: np.ndarray) -> np.ndarray:
        return (block > low) & (block < high)  # NaN is not

    others = sum(_column_sums(values, is_between) for values in series)
    size = np.maximum(np.maximum(np.abs(low), np.abs(high)), 1e-3)
    return np.where(high - low <= _CONSTANT * size, 1, np.where(others == 0, 2, 3))


def _range(series: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each feature."""
    low = np.min([np.fmin.reduce(v, axis=0, initial=np.inf) for v in series], axis=0)
    high = np.max([np.fmax.reduce(v, axis=0, initial=-np.inf) for v in series], axis=0)
    return low, high


def fill_missing(values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
    """Carries the last seen value of each feature forward over its gaps.

    Args:
        values: `(num_timesteps, num_features)`, NaN where missing; not changed.
        state: `(num_features,)` values last seen before the first row, NaN where none; optional.

    Returns:
        `(num_timesteps, num_features)` float64; NaN only before a feature's first value.

    Example:
        >>> fill_missing(np.array([[np.nan], [2.0], [np.nan]])).ravel().tolist()
        [nan, 2.0, 2.0]
    """
    values = np.asarray(values, dtype=np.float64)
    missing = np.isnan(values)
    if not missing.any():
        return values
    if state is None:
        state = np.full(values.shape[1], np.nan)
    stacked = np.vstack([state, values])
    rows = np.arange(len(stacked))[:, None]
    source = np.maximum.accumulate(np.where(np.isnan(stacked), 0, rows), axis=0)
    return np.take_along_axis(stacked, source, axis=0)[1:]


def last_seen(values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
    """Returns the `(num_features,)` values to hand to the next `transform` of the same series."""
    state = np.full(values.shape[1], np.nan) if state is None else state
    if len(values) == 0:
        return state
    last = np.array(values[-1], np.float64)
    for column in np.flatnonzero(np.isnan(last)):
        seen = np.flatnonzero(~np.isnan(values[:, column]))
        last[column] = values[seen[-1], column] if len(seen) else state[column]
    return last


def _blocks(values: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yields views of a series and where they lie in it."""
    for first in range(0, len(values), _BLOCK_ROWS):
        rows = slice(first, first + _BLOCK_ROWS)
        yield rows, values[rows]


def _column_sums(values: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Sums over time of a function of the values, `(num_features,)`; NaN count as 0."""
    total = np.zeros(values.shape[1])
    for _, block in _blocks(values):
        # Row by row from the top, like one sum over the whole series: not a bit is different.
        total = np.nansum(np.vstack([total, function(block)]), axis=0)
    return total
