"""Which rows of a stream are taken, judged by their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsad_keras.errors import InputError


class StreamClock:
    """Keeps rows in time order and finds gaps.

    - A row is taken if its time is later than that of every row before it.
    - A row with the time of the latest row is a duplicate and is dropped: the first one counts.
    - A row with an earlier time is late and is dropped: its place in the windows is gone.
    - Rows more than `max_gap` apart do not share a window: the series begins anew between them.
      Without `max_gap`, rows count as neighbours whatever their times, as when a file is scored.

    Args:
        max_gap: Seconds between dates, or units of numeric times; None = no limit.

    Attributes:
        latest: Time of the latest row taken; None before the first.
        num_late: Rows dropped as late; `num_duplicates`, `num_gaps` likewise.
    """

    def __init__(self, max_gap: float | None = None) -> None:
        if max_gap is not None and not max_gap > 0:
            raise InputError(f"max_gap is {max_gap}, expected more than 0, or None for no limit")
        self._max_gap = max_gap
        self.latest: Any = None
        self.num_late = self.num_duplicates = self.num_gaps = 0

    def take(self, timestamps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Judges the times of further rows.

        Args:
            timestamps: `(num_rows,)` float64 or datetime64[ns], as `as_times` makes them.

        Returns:
            `taken` (num_rows,) bool, and `begins` (num_taken,) bool: where the series begins anew
            in front of a row taken.

        Raises:
            InputError: If numbers follow dates or the other way round.
        """
        if len(timestamps) == 0:
            return np.zeros(0, bool), np.zeros(0, bool)
        if self.latest is not None and (timestamps.dtype.kind == "M") != _is_date(self.latest):
            raise InputError(
                "numbers and dates came as times of one stream, expected one kind; use the same "
                "timestamps throughout"
            )
        first = timestamps[:1] if self.latest is None else np.array([self.latest], timestamps.dtype)
        latest = np.maximum.accumulate(np.concatenate([first, timestamps]))
        before = latest[:-1]
        taken = timestamps > before
        if self.latest is None:
            taken[0] = True
        self.num_duplicates += int(np.sum((timestamps == before) & ~taken))
        self.num_late += int(np.sum(timestamps < before))
        self.latest = latest[-1]
        begins = np.zeros(int(taken.sum()), bool)
        if self._max_gap is not None:
            steps = timestamps[taken] - before[taken]
            if timestamps.dtype.kind == "M":
                steps = steps / np.timedelta64(1, "s")
            begins = steps > self._max_gap
            self.num_gaps += int(begins.sum())
        return taken, begins


def as_times(timestamps: Sequence[Any] | np.ndarray, num_rows: int) -> np.ndarray:
    """Checks times and returns them as float64 or datetime64[ns] (UTC), `(num_rows,)`.

    Raises:
        InputError: If there is not one for each row, or one is missing or no time.
    """
    import pandas as pd

    times = np.asarray(timestamps)
    if times.ndim == 0:
        times = times[None]
    try:
        if times.dtype.kind in "iuf":
            times = times.astype(np.float64)
        else:
            converted = pd.to_datetime(
                pd.Series(timestamps, dtype=object), format="ISO8601", utc=True
            )
            times = converted.dt.tz_localize(None).dt.as_unit("ns").to_numpy()
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"timestamps are no times ({error}), expected numbers or dates in ISO 8601"
        ) from error
    if times.shape != (num_rows,):
        raise InputError(
            f"timestamps have shape {times.shape} for {num_rows} rows, expected one for each row"
        )
    unknown = np.isnat(times) if times.dtype.kind == "M" else ~np.isfinite(times)
    if unknown.any():
        raise InputError(
            f"timestamp number {int(np.flatnonzero(unknown)[0]) + 1} is missing or infinite, "
            "expected a time for each row"
        )
    return times


def _is_date(time: Any) -> bool:
    return isinstance(time, np.datetime64)
