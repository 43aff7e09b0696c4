"""Several scores of one time step made comparable, and made into one.

A member's score is first mapped by a fixed monotone function that its scores of normal validation
data gave: fixed, so that a stream and an exported graph can use it, and nothing looks ahead.

- `calibrated`: log(1 + exp(z)), where z is the standardised logarithm of the score (`LogLevel`). A
  member counts by how far it is above its normal level in units of its own spread there. Division
  by the level alone would let a member with a heavy-tailed score (a plain reconstruction error,
  beside fused scores) decide alone; the logarithm does not.
- `rank`: -log of the share of validation scores that are as high. It needs no shape of the
  distribution. Above the range of the table the tail goes on as a power law (Hill's estimate), so
  that larger scores stay larger and none runs away.

The ensemble's score is the mean over the members. About 0.7 is normal in both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from tsad_keras.errors import InputError
from tsad_keras.fusion import shares
from tsad_keras.levels import LogLevel

COMBINATIONS = ("calibrated", "rank")
_NUM_KNOTS = 33
_LEAST_BEYOND = 10  # validation scores above the last knot; fewer say nothing of the tail
_LEAST_STEP = 0.01  # log units between knots; steeper steps would be noise, and lose float32 digits
_LEAST_EXCESS = 0.05  # log units; likewise for the tail
_TAIL = 0.1  # share of the scores that Hill's estimate is made of


@dataclasses.dataclass(frozen=True)
class RankTable:
    """How rare a score is on normal data.

    Attributes:
        offset: Added before the logarithm.
        knots: `(num_knots,)` ascending logarithms of scores.
        surprise: `(num_knots,)` at these, -log of the share of normal scores that are as high.
        slope: Of `surprise` beyond the last knot.

    Example:
        >>> table = RankTable.of(np.arange(1.0, 1001.0))
        >>> table.standardise(np.array([0.5, 501.0, 901.0])).round(1).tolist()
        [0.0, 0.7, 2.3]
    """

    offset: float
    knots: np.ndarray
    surprise: np.ndarray
    slope: float

    @classmethod
    def of(cls, normal: np.ndarray) -> RankTable:
        """The table of scores `(num_timesteps,)` of normal data."""
        offset = LogLevel.of(normal).offset
        logs = np.log(normal + offset)
        deepest = np.log(max(2.0, len(logs) / _LEAST_BEYOND))
        surprise = np.linspace(0.0, deepest, _NUM_KNOTS)
        steps = _LEAST_STEP * np.arange(_NUM_KNOTS)
        quantiles = np.quantile(logs, 1.0 - np.exp(-surprise))
        knots = np.maximum.accumulate(quantiles - steps) + steps  # at least a step apart
        start = np.quantile(logs, 1.0 - _TAIL)
        beyond = logs[logs > start] - start
        excess = float(beyond.mean()) if beyond.size else 0.0
        return cls(offset, knots, surprise, 1.0 / max(excess, _LEAST_EXCESS))

    def standardise(self, scores: np.ndarray) -> np.ndarray:
        """-log of the share of normal scores that are as high; 0 or more."""
        logs = np.log(scores + self.offset)
        beyond = np.maximum(logs - self.knots[-1], 0.0)
        return np.interp(logs, self.knots, self.surprise) + self.slope * beyond


@dataclasses.dataclass(frozen=True)
class Combination:
    """The mean of the members' mapped scores.

    Attributes:
        mode: One of `COMBINATIONS`.
        levels: Of each member: `LogLevel`s (calibrated) or `RankTable`s (rank).
    """

    mode: str
    levels: tuple[LogLevel | RankTable, ...]

    @classmethod
    def of(cls, mode: str, normal: Sequence[np.ndarray]) -> Combination:
        """The combination that scores `(num_timesteps,)` of normal data, one a member, give."""
        check_mode(mode)
        kind = RankTable if mode == "rank" else LogLevel
        return cls(mode, tuple(kind.of(scores) for scores in normal))

    def combine(self, contributions: Sequence[np.ndarray]) -> np.ndarray:
        """One score of several.

        Args:
            contributions: Of each member, `(num_timesteps, num_features)`, not negative.

        Returns:
            `(num_timesteps, num_features)`, not negative; rows sum to the ensemble's score. A
            member's part of it is shared out as its own contributions are.
        """
        combined = np.zeros_like(contributions[0])
        for level, part in zip(self.levels, contributions, strict=True):
            mapped = level.standardise(part.sum(axis=1))
            if self.mode == "calibrated":
                mapped = np.logaddexp(0.0, mapped)
            combined += (mapped / len(self.levels))[:, None] * shares(part)
        return combined

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays for `from_arrays`, each with a row a member."""
        if self.mode == "calibrated":
            return {"levels": np.array([dataclasses.astuple(level) for level in self.levels])}
        return {
            field.name: np.array([getattr(level, field.name) for level in self.levels])
            for field in dataclasses.fields(RankTable)
        }

    @classmethod
    def from_arrays(cls, mode: str, arrays: Mapping[str, Any]) -> Combination:
        """What `arrays` gave; a missing array is a KeyError, another shape a ValueError."""
        check_mode(mode)
        if mode == "calibrated":
            values = np.asarray(arrays["levels"], np.float64)
            if values.ndim != 2 or values.shape[1] != 3:
                raise ValueError(f"levels has shape {values.shape}")
            return cls(mode, tuple(LogLevel(*map(float, row)) for row in values))
        offset, knots, surprise, slope = (
            np.asarray(arrays[field.name], np.float64) for field in dataclasses.fields(RankTable)
        )
        if knots.shape != surprise.shape or knots.ndim != 2 or len(knots) != len(slope):
            raise ValueError(f"knots has shape {knots.shape}")
        rows = zip(offset, knots, surprise, slope, strict=True)
        return cls(mode, tuple(RankTable(float(o), k, s, float(t)) for o, k, s, t in rows))


class Judge(Protocol):
    """What makes contributions of point outputs: `FusedScore`, `CombinedScore`, `EnsembleScore`."""

    def update(self, outputs: np.ndarray) -> np.ndarray: ...
    def scores(self, outputs: np.ndarray) -> np.ndarray: ...
    def of_means(self, outputs: np.ndarray) -> np.ndarray: ...
    def get_state(self) -> dict[str, np.ndarray]: ...
    def set_state(self, state: dict[str, np.ndarray]) -> None: ...


class EnsembleScore:
    """The combined score of several members, with the verbs of the members' own.

    Args:
        combination: Of their scores.
        judges: What makes each member's contributions.
        num_outputs: How many of the point outputs are each member's, in order.
    """

    def __init__(
        self, combination: Combination, judges: Sequence[Judge], num_outputs: Sequence[int]
    ) -> None:
        self._combination = combination
        self._judges = judges
        self._borders = np.cumsum(num_outputs)[:-1]

    def update(self, outputs: np.ndarray) -> np.ndarray:
        """Takes further point outputs of the same series, returns their contributions.

        Args:
            outputs: `(num_timesteps, num_outputs)` those of all members side by side.

        Returns:
            `(num_timesteps, num_features)`.
        """
        parts = np.split(outputs, self._borders, axis=1)
        made = [judge.update(part) for judge, part in zip(self._judges, parts, strict=True)]
        return self._combination.combine(made)

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """`update`, but returns the scores `(num_timesteps,)` alone."""
        return self.update(outputs).sum(axis=1)

    def of_means(self, outputs: np.ndarray) -> np.ndarray:
        """Contributions of means over windows: no past, no bursts, no smoothing."""
        parts = np.split(outputs, self._borders, axis=1)
        made = [judge.of_means(part) for judge, part in zip(self._judges, parts, strict=True)]
        return self._combination.combine(made)

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next score depends on, as arrays for `set_state`."""
        return {
            f"{number}/{name}": array
            for number, judge in enumerate(self._judges)
            for name, array in judge.get_state().items()
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        for number, judge in enumerate(self._judges):
            start = f"{number}/"
            judge.set_state(
                {key.removeprefix(start): a for key, a in state.items() if key.startswith(start)}
            )


def check_mode(mode: str) -> str:
    """Returns the name of a combination if there is one of that name, else raises `InputError`."""
    if mode not in COMBINATIONS:
        raise InputError(f"combine is {mode!r}, expected one of {', '.join(COMBINATIONS)}")
    return mode
