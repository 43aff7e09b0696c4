"""Alarms as events: where one begins and ends, how high it was, what stood out."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tsad_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class AlarmEvent:
    """One alarm, from its first alarmed row to its last row above the release level.

    Attributes:
        start_row: Number of its first row in the stream, from 0.
        end_row: Number of its last row; of the latest one while the event is open.
        peak_row: Number of the row with the highest score.
        peak_score: That score.
        start_time: Time of the first row; None without times. `end_time`, `peak_time` likewise.
        end_time: See there.
        peak_time: See there.
        top_features: Up to three pairs of name and share of the summed scores, largest first.
        is_open: Whether it goes on.
    """

    start_row: int
    end_row: int
    peak_row: int
    peak_score: float
    start_time: Any
    end_time: Any
    peak_time: Any
    top_features: tuple[tuple[str, float], ...]
    is_open: bool

    def to_dict(self) -> dict[str, Any]:
        """Returns a JSON-serialisable dict; times become text as in score files."""
        from tsad_keras.datasets.table_cells import show_time

        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("start_time", "end_time", "peak_time"):
            values[name] = None if values[name] is None else show_time(values[name])
        values["top_features"] = [
            {"feature": name, "share": round(share, 4)} for name, share in self.top_features
        ]
        return values


class AlarmTracker:
    """Turns scores into events, with hysteresis and a minimum gap.

    An event begins with the first score at or above the threshold. It goes on as long as scores
    stay at or above the release level, (1 - hysteresis) times the threshold. It ends at its last
    such row once more than `minimum_gap` rows have passed without a score at or above the
    threshold; one within that gap belongs to the same event.

    Args:
        feature_names: Names of the features.
        hysteresis: Share of the threshold by which scores must fall below it, in [0, 1).
        minimum_gap: Rows; 0 ends an event at the first row below the release level.
        num_top_features: Most features to name.

    Example:
        >>> tracker = AlarmTracker(("cpu",), hysteresis=0.5, minimum_gap=0)
        >>> scores = np.array([0.0, 2.0, 0.6, 0.1])
        >>> events = tracker.update(scores, scores[:, None], np.ones(4), np.arange(4), None)
        >>> events[0].start_row, events[0].end_row, events[0].peak_score
        (1, 2, 2.0)
    """

    def __init__(
        self,
        feature_names: tuple[str, ...],
        *,
        hysteresis: float = 0.2,
        minimum_gap: int = 10,
        num_top_features: int = 3,
    ) -> None:
        if not 0 <= hysteresis < 1:
            raise InputError(f"hysteresis is {hysteresis}, expected 0 or more and below 1")
        if minimum_gap < 0:
            raise InputError(f"minimum_gap is {minimum_gap}, expected 0 or more rows")
        self._names = feature_names
        self._release = 1.0 - hysteresis
        self._minimum_gap = minimum_gap
        self._num_top_features = num_top_features
        self._forget()

    def update(
        self,
        scores: np.ndarray,
        contributions: np.ndarray,
        thresholds: np.ndarray,
        rows: np.ndarray,
        timestamps: np.ndarray | None,
    ) -> list[AlarmEvent]:
        """Takes further rows and returns the events that have ended.

        Args:
            scores: `(num_rows,)`; NaN (no score) neither begins nor prolongs an event.
            contributions: `(num_rows, num_features)`.
            thresholds: `(num_rows,)` the threshold in force at each row.
            rows: `(num_rows,)` numbers of the rows in the stream.
            timestamps: `(num_rows,)` or None.
        """
        ended: list[AlarmEvent] = []
        alarmed = scores >= thresholds
        held = scores >= self._release * thresholds
        index = 0
        while index < len(scores):
            if self._start is None:  # on to the next alarm: nearly all rows need no look
                left = np.flatnonzero(alarmed[index:])
                if not left.size:
                    break
                index += int(left[0])
            if alarmed[index] or (held[index] and self._quiet == 0):
                time = None if timestamps is None else timestamps[index]
                self._add((int(rows[index]), time), float(scores[index]), contributions[index])
            else:
                self._quiet += 1
                if self._quiet > self._minimum_gap:
                    ended += self.close()
            index += 1
        return ended

    def close(self) -> list[AlarmEvent]:
        """Ends the open event, if there is one, because the series ends here."""
        events = [] if self._start is None else [self._event(is_open=False)]
        self._forget()
        return events

    @property
    def open_event(self) -> AlarmEvent | None:
        """The event that goes on, as far as it is known."""
        return None if self._start is None else self._event(is_open=True)

    def get_state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The open event as arrays and JSON-serialisable values for `set_state`."""
        if self._start is None:
            return {}, {}
        values = {
            name: [row, packed_time(time)]
            for name, (row, time) in (
                ("start", self._start),
                ("end", self._end),
                ("peak", self._peak),
            )
        }
        return {"sums": self._sums}, {
            **values,
            "peak_score": self._peak_score,
            "quiet": self._quiet,
        }

    def set_state(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        """Goes on where another tracker was at `get_state`."""
        self._forget()
        if not values:
            return
        self._start, self._end, self._peak = (
            (int(values[name][0]), unpacked_time(values[name][1]))
            for name in ("start", "end", "peak")
        )
        self._peak_score, self._quiet = float(values["peak_score"]), int(values["quiet"])
        self._sums = arrays["sums"]

    def _add(self, place: tuple[int, Any], score: float, contributions: np.ndarray) -> None:
        if self._start is None:
            self._start = self._peak = place
            self._peak_score = -np.inf
            self._sums = np.zeros(len(self._names))
        self._end = place
        self._quiet = 0
        self._sums = self._sums + contributions
        if score > self._peak_score:
            self._peak, self._peak_score = place, score

    def _event(self, *, is_open: bool) -> AlarmEvent:
        total = float(self._sums.sum())
        top = np.argsort(-self._sums, kind="stable")[: self._num_top_features]
        shares = [(self._names[i], float(self._sums[i]) / total if total else 0.0) for i in top]
        return AlarmEvent(
            start_row=self._start[0],
            end_row=self._end[0],
            peak_row=self._peak[0],
            peak_score=self._peak_score,
            start_time=self._start[1],
            end_time=self._end[1],
            peak_time=self._peak[1],
            top_features=tuple(shares),
            is_open=is_open,
        )

    def _forget(self) -> None:
        self._start: tuple[int, Any] | None = None
        self._end = self._peak = (0, None)
        self._peak_score = 0.0
        self._quiet = 0
        self._sums = np.zeros(0)


def packed_time(time: Any) -> Any:
    """A time as JSON value: None, a number, or nanoseconds since 1970 in a list."""
    if time is None:
        return None
    if isinstance(time, np.datetime64):
        return [int(time.astype("datetime64[ns]").astype(np.int64))]
    return float(time)


def unpacked_time(value: Any) -> Any:
    """The time that `packed_time` packed."""
    if isinstance(value, list):
        return np.datetime64(int(value[0]), "ns")
    return None if value is None else np.float64(value)
