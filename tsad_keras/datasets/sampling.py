"""Sampling rates: whether rows are evenly spaced, and means over a grid if they are not.

A window is a number of rows, so a row must mean the same stretch of time everywhere. Rows of mixed
rates are refused; `resample` brings them to one.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.datasets.table_chunks import Table, concatenate
from tsad_keras.errors import InputError

AS_THEY_ARE = "none"  # instead of an interval: neither resampled nor checked
_TOLERANCE = 1.5  # times as long or as short is another rate; clocks jitter
_MOST_UNEVEN = 0.1  # share of the steps that may be so; gaps and doubled samples happen
_LEAST_STEPS = 10  # to speak of a rate
_NANOSECONDS = 1e9


def parse_interval(text: str | float | None) -> float | None:
    """An interval as a number: seconds for dates, else units of the times.

    Args:
        text: A number, or one with a unit of pandas (`60s`, `5min`, `1h`); `none` or None.

    Returns:
        The number; None for `none` and None.

    Raises:
        InputError: If it is none of these, or not positive.

    Example:
        >>> parse_interval("5min"), parse_interval("60"), parse_interval("none")
        (300.0, 60.0, None)
    """
    if text is None or text == AS_THEY_ARE:
        return None
    words = str(text).strip()
    try:
        is_plain = re.fullmatch(r"[\d.eE+-]+", words)
        seconds = float(words) if is_plain else pd.Timedelta(words).total_seconds()
    except ValueError:
        seconds = float("nan")
    if not (1e-9 <= seconds < 1e9):
        raise InputError(
            f"resample is {text!r}, expected an interval such as 60s, 5min or 1h (a number for "
            f"numeric times), or {AS_THEY_ARE} to take rows as they come"
        )
    return seconds


def sampling_interval(times: np.ndarray | None) -> float | None:
    """The median step of times: seconds for dates, else their units; None of too few or none.

    Example:
        >>> sampling_interval(np.arange(100.0) * 5)
        5.0
    """
    if times is None or len(times) <= _LEAST_STEPS:
        return None
    return float(np.median(_steps(times)))


def check_rates(parts: Sequence[tuple[str, np.ndarray | None]]) -> None:
    """Refuses times of mixed rates, within one part or between parts.

    Steps belong to another rate if they are more than 1.5 times as long or as short as the median
    one; a tenth of them may, as they do at gaps.

    Args:
        parts: Name and times `(num_timesteps,)` of each; None and few rows are not looked at.

    Raises:
        InputError: Naming the parts and their rates.
    """
    first: tuple[str, float, str] | None = None
    for source, times in parts:
        interval = sampling_interval(times)
        if interval is None:
            continue
        kind = times.dtype.kind
        steps = _steps(times)
        uneven = float(np.mean(_is_other(steps, interval)))
        if uneven > _MOST_UNEVEN:
            others = float(np.median(steps[_is_other(steps, interval)]))
            raise InputError(
                f"{source} has rows of mixed rates: {uneven:.0%} of them do not follow after about "
                f"{_show(interval, kind)} as most do (but after {_show(others, kind)}), expected "
                f"one rate; {_advice(max(interval, others), kind)}"
            )
        if first is None:
            first = (source, interval, kind)
        elif kind == first[2] and _is_other(np.array([interval]), first[1])[0]:
            raise InputError(
                f"{source} has a row every {_show(interval, kind)}, unlike {first[0]} with one "
                f"every {_show(first[1], kind)}, expected one rate; "
                f"{_advice(max(interval, first[1]), kind)}"
            )


def rate_of(times: np.ndarray | None) -> dict[str, Any] | None:
    """How far apart rows are, for `check_rate`: `interval` and `unit`; None if it is not known.

    Example:
        >>> rate_of(np.arange(100.0) * 5)
        {'interval': 5.0, 'unit': ''}
    """
    interval = sampling_interval(times)
    if interval is None:
        return None
    return {"interval": interval, "unit": "s" if times.dtype.kind == "M" else ""}


def check_rate(
    tables: Iterable[Table], trained: dict[str, Any] | None, source: str
) -> Iterator[Table]:
    """Passes the chunks of a file on, if the first is of the rate that a model was trained on.

    Args:
        tables: The chunks.
        trained: As `rate_of` gave it; None checks nothing.
        source: For the message.

    Raises:
        InputError: If the rows are more than 1.5 times as far apart, or as near.
    """
    for index, table in enumerate(tables):
        came = rate_of(table.timestamps) if trained and not index else None
        if (
            came
            and came["unit"] == trained["unit"]
            and _is_other(np.array([came["interval"]]), trained["interval"])[0]
        ):
            unit = trained["unit"]
            grid = f"--resample {trained['interval']:.6g}{unit} takes means over its grid, "
            raise InputError(
                f"{source} has a row every {came['interval']:.6g} {unit}".rstrip()
                + f", the model was trained on one every {trained['interval']:.6g} {unit}".rstrip()
                + f"; {grid if came['interval'] < trained['interval'] else ''}"
                f"--resample {AS_THEY_ARE} takes the rows as they come"
            )
        yield table


def resample_table(table: Table, interval: float | None, source: str) -> Table:
    """`resample` of a whole table; the table itself if there is no interval."""
    if interval is None:
        return table
    return concatenate(list(resample([table], interval, source)))


def resample(tables: Iterable[Table], interval: float, source: str) -> Iterator[Table]:
    """Means over a grid of time, chunk by chunk; memory holds about a chunk.

    A row of the result stands for `[time, time + interval)`; the grid begins at 1970-01-01 UTC, or
    at 0. Missing values do not count; a label is 1 if one in the interval is. Where an interval has
    no row, the result has none either (see `split_at_gaps`).

    Args:
        tables: Chunks of one file, in order.
        interval: Seconds for dates, else units of the times.
        source: For messages.

    Yields:
        Tables; joined, they do not depend on how the chunks were cut.

    Raises:
        InputError: If there is no time column.
    """
    waiting: list[Table] = []  # rows of an interval that may go on
    first_row = 1
    for table in tables:
        if table.timestamps is None:
            raise InputError(
                f"{source} has no time column, expected one to resample by; name it with "
                "--time-column, or leave --resample out"
            )
        joined = concatenate([*waiting, table])
        bins = _bins(joined.timestamps, interval)
        last = int(np.searchsorted(bins, bins[-1]))
        waiting = [_rows(joined, slice(last, None))]
        if last:
            done = _means(_rows(joined, slice(0, last)), interval, first_row)
            first_row += done.num_timesteps
            yield done
    if waiting:
        yield _means(waiting[0], interval, first_row)


def _means(table: Table, interval: float, first_row: int) -> Table:
    bins = _bins(table.timestamps, interval)
    starts = np.flatnonzero(np.concatenate([[True], bins[1:] != bins[:-1]]))
    is_known = ~np.isnan(table.values)
    sums = np.add.reduceat(np.where(is_known, table.values, 0.0), starts, axis=0)
    counts = np.add.reduceat(is_known.astype(np.int64), starts, axis=0)
    with np.errstate(invalid="ignore"):
        values = np.where(counts > 0, sums / counts, np.nan)
    labels = None if table.labels is None else np.maximum.reduceat(table.labels, starts)
    times = bins[starts]
    if table.timestamps.dtype.kind == "M":
        times = (times * round(interval * _NANOSECONDS)).astype("datetime64[ns]")
    else:
        times = times * interval
    return dataclasses.replace(
        table, values=values, timestamps=times, labels=labels, first_row=first_row
    )


def _bins(times: np.ndarray, interval: float) -> np.ndarray:
    """Number of the interval that each time lies in."""
    if times.dtype.kind == "M":
        return times.astype("datetime64[ns]").astype(np.int64) // round(interval * _NANOSECONDS)
    return np.floor(times / interval)


def _rows(table: Table, rows: slice) -> Table:
    labels = None if table.labels is None else table.labels[rows]
    return dataclasses.replace(
        table, values=table.values[rows], timestamps=table.timestamps[rows], labels=labels
    )


def _steps(times: np.ndarray) -> np.ndarray:
    steps = np.diff(times)
    return steps / np.timedelta64(1, "s") if times.dtype.kind == "M" else steps


def _is_other(steps: np.ndarray, interval: float) -> np.ndarray:
    return (steps > _TOLERANCE * interval) | (steps * _TOLERANCE < interval)


def _show(interval: float, kind: str) -> str:
    return f"{interval:.6g} s" if kind == "M" else f"{interval:.6g}"


def _advice(interval: float, kind: str) -> str:
    return (
        f"--resample {interval:.6g}{'s' if kind == 'M' else ''} takes means over one grid, "
        f"--resample {AS_THEY_ARE} takes the rows as they come"
    )
