"""Rows out of lines of text as they come: CSV or JSON lines; broken ones are reported."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.datasets.table_cells import MISSING, parse_number
from tsad_keras.datasets.table_columns import TIME_NAMES
from tsad_keras.errors import InputError

_DELIMITERS = ",;\t|"


class BrokenLine(ValueError):
    """Why a line gives no row."""


@dataclass(frozen=True)
class Rows:
    """What several lines gave.

    Attributes:
        values: `(num_rows, num_features)` float64 in the order of training, NaN where missing.
        times: One for each row, as float or datetime64[ns] (UTC); None if the lines have none.
        line_numbers: The line each row came from, counted from 1.
        problems: A sentence for each broken line.
    """

    values: np.ndarray
    times: np.ndarray | None
    line_numbers: list[int]
    problems: list[str]


class LineReader:
    """Reads rows of known features from lines.

    - CSV: columns are found by the names in the first line, in any order; further ones are left
      out. If the first line is a row of numbers instead (as behind `tail -f`), the columns are the
      features in the order of training, after one of times if there is one more.
    - JSON lines: an object with a value for each feature, or an array of values in the order of
      training. null is a missing value.
    - The time is the column or key `time_column`, or one with a well-known name. Numbers, or dates
      in ISO 8601; a zone is converted to UTC. The first row decides which of the two.

    A broken line (cells too few or too many, text in place of a number, infinite values, a missing
    or unreadable time) gives no row but a sentence.

    Args:
        feature_names: The features, in the order of training.
        line_format: `"csv"`, `"jsonl"`, or `"auto"`: JSON if the first line begins with { or [.
        time_column: Name of the time column or key; None finds it.

    Example:
        >>> reader = LineReader(("cpu", "disk"))
        >>> rows = reader.read(["time,disk,cpu", "1,20,10", "2,oops,10"])
        >>> rows.values.tolist(), rows.times.tolist()
        ([[10.0, 20.0]], [1.0])
        >>> rows.problems
        ["line 3: column 'disk' holds 'oops', expected a number or nothing"]
    """

    def __init__(
        self,
        feature_names: Sequence[str],
        *,
        line_format: str = "auto",
        time_column: str | None = None,
    ) -> None:
        if line_format not in ("auto", "csv", "jsonl"):
            raise InputError(f"format is {line_format!r}, expected auto, csv or jsonl")
        self._features = tuple(feature_names)
        self._format = line_format
        self._time_column = time_column
        self._line_number = 0
        self._delimiter = ""
        self._places: list[int] | None = None  # CSV: column of each feature
        self._time_place: int | None = None
        self._num_columns = 0
        self._has_times: bool | None = None
        self._time_is_date: bool | None = None

    def read(self, lines: Sequence[str]) -> Rows:
        """Takes further lines; blank ones are skipped.

        Raises:
            InputError: If the header lacks a feature: then no line can be read.
        """
        values, times, numbers, problems = [], [], [], []
        for line in lines:
            self._line_number += 1
            try:
                row = self._row(line)
            except BrokenLine as problem:
                problems.append(f"line {self._line_number}: {problem}")
                continue
            if row is not None:
                values.append(row[0])
                times.append(row[1])
                numbers.append(self._line_number)
        array = np.array(values, np.float64).reshape(len(values), len(self._features))
        kind = "datetime64[ns]" if self._time_is_date else np.float64
        return Rows(array, np.array(times, kind) if self._has_times else None, numbers, problems)

    def _row(self, line: str) -> tuple[list[float], Any] | None:
        """One row and its time; None for a blank line or the header."""
        line = line.strip("\r\n\ufeff")
        if not line.strip():
            return None
        if self._format == "auto":
            self._format = "jsonl" if line.lstrip()[0] in "{[" else "csv"
        return self._json_row(line) if self._format == "jsonl" else self._csv_row(line)

    # --- CSV -------------------------------------------------------------------------------------

    def _csv_row(self, line: str) -> tuple[list[float], Any] | None:
        if self._places is None:
            self._delimiter = max(_DELIMITERS, key=line.count)
            if self._take_header(self._cells(line)):
                return None
        cells = self._cells(line)
        if len(cells) != self._num_columns:
            raise BrokenLine(f"{len(cells)} cells, expected {self._num_columns}")
        time = None if self._time_place is None else self._time(cells[self._time_place])
        named = zip(self._features, self._places, strict=True)
        return [_cell_number(name, cells[place]) for name, place in named], self._kept(time)

    def _cells(self, line: str) -> list[str]:
        reader = csv.reader([line], delimiter=self._delimiter, skipinitialspace=True)
        try:
            return [cell.strip() for cell in next(reader)]
        except csv.Error as error:
            raise BrokenLine(f"no CSV ({error})") from error

    def _take_header(self, cells: list[str]) -> bool:
        """Fixes what each column is; False if the line is a row already."""
        count = len(self._features)
        self._num_columns = len(cells)
        missing = [name for name in self._features if name not in cells]
        if missing and len(cells) - count in (0, 1) and self._is_row(cells[-count:]):
            if self._time_column:
                raise InputError(
                    f"the first line holds numbers, so there is no column {self._time_column!r}; "
                    "put a line with the column names in front, or leave --time-column out"
                )
            self._time_place = 0 if len(cells) > count else None
            self._places = list(range(len(cells) - count, len(cells)))
            return False
        if missing:
            raise InputError(
                f"the first line lacks {', '.join(missing[:20])}, expected the columns of "
                f"training ({', '.join(self._features[:20])}), or a row of {count} numbers; check "
                "that data and model belong together"
            )
        self._places = [cells.index(name) for name in self._features]
        name = self._time_column or next(
            (c for c in cells if c.lower() in TIME_NAMES and c not in self._features), None
        )
        if name is not None and name not in cells:
            raise InputError(
                f"the first line has no column {name!r}, expected it to hold the time; its columns "
                f"are {', '.join(cells[:50])}"
            )
        self._time_place = None if name is None else cells.index(name)
        return True

    def _is_row(self, cells: list[str]) -> bool:
        return all(cell in MISSING or parse_number(cell, ".") is not None for cell in cells)

    # --- JSON lines ------------------------------------------------------------------------------

    def _json_row(self, line: str) -> tuple[list[float], Any]:
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BrokenLine(f"no JSON ({error})") from error
        if isinstance(item, list):
            if len(item) != len(self._features):
                raise BrokenLine(f"{len(item)} values, expected {len(self._features)}")
            named = zip(self._features, item, strict=True)
            return [_json_number(name, value) for name, value in named], self._kept(None)
        if not isinstance(item, dict):
            raise BrokenLine("neither an object nor an array")
        missing = [name for name in self._features if name not in item]
        if missing:
            raise BrokenLine(f"no {', '.join(missing[:5])}; null would be a missing value")
        name = self._time_column or next(
            (k for k in item if k.lower() in TIME_NAMES and k not in self._features), None
        )
        if self._time_column and self._time_column not in item:
            raise BrokenLine(f"no time {self._time_column!r}")
        time = None if name is None else self._time(item[name])
        return [_json_number(name, item[name]) for name in self._features], self._kept(time)

    # --- times -----------------------------------------------------------------------------------

    def _time(self, cell: Any) -> Any:
        """A time as float or datetime64[ns]; the first one decides which of the two follow."""
        is_number = isinstance(cell, (int, float)) and not isinstance(cell, bool)
        number = float(cell) if is_number else None
        if isinstance(cell, str):
            number = parse_number(cell.strip(), ".")
        if number is not None and self._time_is_date is not True and math.isfinite(number):
            return number
        if isinstance(cell, str) and self._time_is_date is not False and number is None:
            try:
                stamp = pd.to_datetime(cell.strip(), format="ISO8601", utc=True)
                if not pd.isna(stamp):
                    return stamp.tz_localize(None).as_unit("ns").to_datetime64()
            except (ValueError, OverflowError):
                pass
        kinds = {None: "a number or a date in ISO 8601", True: "a date", False: "a number"}
        raise BrokenLine(f"the time is {str(cell)[:40]!r}, expected {kinds[self._time_is_date]}")

    def _kept(self, time: Any) -> Any:
        """Returns the time; refuses one among rows without and the other way round."""
        if self._has_times is None:
            self._has_times = time is not None
            self._time_is_date = isinstance(time, np.datetime64)
        if self._has_times != (time is not None):
            raise BrokenLine("no time" if self._has_times else "a time, where others have none")
        return time


def _cell_number(name: str, cell: str) -> float:
    if cell in MISSING:
        return math.nan
    number = parse_number(cell, ".")
    if number is None:
        raise BrokenLine(f"column {name!r} holds {cell[:40]!r}, expected a number or nothing")
    return _finite(name, number)


def _json_number(name: str, value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool):
        return float(value)
    if not isinstance(value, (int, float)):
        raise BrokenLine(f"{name!r} is {json.dumps(value)[:40]}, expected a number or null")
    try:
        return _finite(name, float(value))
    except OverflowError as error:
        raise BrokenLine(f"{name!r} is beyond any float") from error


def _finite(name: str, number: float) -> float:
    if math.isinf(number):
        raise BrokenLine(f"{name!r} is infinite, expected a finite number or nothing")
    return number
