"""The cells of one column as numbers or times, with the row of the first that is neither."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tsad_keras.errors import InputError

if TYPE_CHECKING:
    import pyarrow

MISSING = ("", "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>")

_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|inf(inity)?|nan)", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_OFFSET = re.compile(r".*[T ]\d{1,2}(:\d{2}.*)?(Z|z|[+-]\d{2}(:?\d{2})?)")
_TRUTH = {"true": 1.0, "false": 0.0}


def time_kind_of(column: pyarrow.Array) -> str:
    """Returns `"number"`, `"naive"` or `"aware"` for a time column, judged by its first rows."""
    from pyarrow import types

    if types.is_timestamp(column.type):
        return "aware" if column.type.tz else "naive"
    if types.is_date(column.type):
        return "naive"
    filled = _filled_cells(column)
    if not filled or parse_number(filled[0], ".") is not None:
        return "number"
    return "aware" if _OFFSET.fullmatch(filled[0]) else "naive"


def holds_dates(column: pyarrow.Array) -> bool:
    """Whether the first rows of a column hold dates and nothing else."""
    from pyarrow import types

    if types.is_timestamp(column.type) or types.is_date(column.type):
        return True
    filled = _filled_cells(column)
    return bool(filled) and all(_DATE.match(cell) for cell in filled)


def _filled_cells(column: pyarrow.Array) -> list[str]:
    """Returns the cells of a text column that are not empty; none for a column of another type."""
    text = plain(column)
    if text is None or isinstance(text, np.ndarray):
        return []
    cells = [cell.strip() for cell in text.to_pylist() if cell is not None]
    return [cell for cell in cells if cell not in MISSING]


def plain(column: pyarrow.Array) -> Any:
    """Returns numbers as float64 array (NaN = missing), text as Arrow strings, else None."""
    import pyarrow
    from pyarrow import types

    kind = column.type
    if types.is_dictionary(kind):
        column = column.dictionary_decode()
        kind = column.type
    if types.is_null(kind):
        return np.full(len(column), np.nan)
    if types.is_boolean(kind) or types.is_integer(kind) or types.is_floating(kind):
        return column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
    if types.is_decimal(kind):
        return column.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    if types.is_string(kind) or types.is_large_string(kind):
        return column.cast(pyarrow.string())
    return None


def to_floats(
    column: pyarrow.Array, name: str, source: str, first_row: int, decimal: str
) -> np.ndarray:
    """Returns the cells of one column as float64, shape (num_rows,); missing cells are NaN.

    Raises:
        InputError: With column, row and text of the first cell that is no number.
    """
    import pyarrow
    import pyarrow.compute

    text = plain(column)
    if text is None:
        raise InputError(
            f"{source}: column {name!r} holds {column.type}, expected numbers; remove the column, "
            "or name it with --time-column if it is the time"
        )
    if isinstance(text, np.ndarray):
        return text
    if decimal == ".":
        numbers = _cast(text)  # most columns hold numbers and nothing else
        if numbers is not None:
            return numbers
    text = pyarrow.compute.utf8_trim_whitespace(text)
    missing = pyarrow.compute.is_in(text, value_set=pyarrow.array(MISSING))
    text = pyarrow.compute.if_else(missing, pyarrow.scalar(None, pyarrow.string()), text)
    if decimal == ".":
        numbers = _cast(text)
        if numbers is not None:
            return numbers
    # Both ways round to the nearest float64, so the way taken does not show in the result.
    numbers = np.full(len(text), np.nan)
    for position, cell in enumerate(text.to_pylist()):
        if cell is None:
            continue
        number = parse_number(cell, decimal)
        if number is None:
            raise InputError(
                f"{source}: column {name!r} holds the text {cell[:40]!r} at data row "
                f"{first_row + position}, expected a number or an empty cell; mend the cell or "
                "remove the column"
            )
        numbers[position] = number
    return numbers


def _cast(text: pyarrow.Array) -> np.ndarray | None:
    """Numbers of text cells, NaN where null; None if a cell is spelt oddly or is no number."""
    import pyarrow

    try:
        return text.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:
        return None


def parse_number(cell: str, decimal: str) -> float | None:
    """Returns the number a cell spells, 1 or 0 for true and false, None for any other text."""
    if decimal == ",":
        if "." in cell:  # a thousands separator: guessing would give wrong numbers
            return None
        cell = cell.replace(",", ".")
    if _NUMBER.fullmatch(cell):
        return float(cell)
    return _TRUTH.get(cell.lower())


def to_times(
    column: pyarrow.Array, kind: str, name: str, source: str, first_row: int, decimal: str
) -> np.ndarray:
    """Returns times, shape (num_rows,): float64 for numbers, else datetime64[ns] (UTC if aware).

    Raises:
        InputError: With the row of the first missing or unreadable time, or of a time with a zone
            among times without one (or the other way round).
    """
    if kind == "number":
        times = to_floats(column, name, source, first_row, decimal)
        wrong = ~np.isfinite(times)
        cells = times
    else:
        series = column.to_pandas()
        if pd.api.types.is_datetime64_any_dtype(series.dtype):
            aware = np.full(len(series), kind == "aware")
        else:
            series = series.astype("object").map(
                lambda cell: None if cell is None else str(cell).strip()
            )
            aware = series.map(lambda cell: bool(cell and _OFFSET.fullmatch(cell)))
        cells = series
        parsed = _parse_dates(series, source, name)
        wrong = parsed.isna().to_numpy() | (np.asarray(aware, bool) != (kind == "aware"))
        times = parsed.to_numpy("datetime64[ns]")
    if wrong.any():
        position = int(np.flatnonzero(wrong)[0])
        zone = {"number": "a number", "naive": "a date without a time zone"}.get(kind)
        cell = cells[position]
        came = "nothing" if pd.isna(cell) or cell == "" else repr(str(cell))
        raise InputError(
            f"{source}: time column {name or '(unnamed)'!r} holds {came} at data "
            f"row {first_row + position}, expected {zone or 'a date with a time zone'} as in the "
            "first rows (dates in ISO 8601, such as 2021-01-31T00:05); mend that cell"
        )
    return times


def _parse_dates(series: pd.Series, source: str, name: str) -> pd.Series:
    """Parses ISO 8601; zones become UTC. Returns a Series without zone, NaT where unreadable."""
    try:
        parsed = pd.to_datetime(series, format="ISO8601", utc=True, errors="coerce")
        return parsed.dt.tz_localize(None).dt.as_unit("ns")
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{source}: time column {name!r} holds dates outside the years 1678 to 2261; mend them"
        ) from error


def check_increasing(
    times: np.ndarray, previous: Any, name: str, source: str, first_row: int
) -> None:
    """Refuses times that are not strictly increasing, also against the chunk before.

    Raises:
        InputError: With the first row out of order and its time.
    """
    before = times[:-1] if previous is None else np.concatenate([[previous], times[:-1]])
    after = times[1:] if previous is None else times
    wrong = np.flatnonzero(~(after > before))
    if not wrong.size:
        return
    position = int(wrong[0])
    row = first_row + position + (previous is None)
    what = "the same time as" if after[position] == before[position] else "an earlier time than"
    raise InputError(
        f"{source}: time column {name or '(unnamed)'!r} holds {show_time(after[position])} at data "
        f"row {row}, {what} the row before, expected increasing times; sort the rows, remove "
        "doubles, and use times with a zone where clocks change (or rename the column if it is "
        "no time)"
    )


def show_time(time: Any) -> str:
    """Returns a time as text: numbers without a needless `.0`, dates in ISO 8601.

    Dates always have a time of day, so that a column of them has one form.

    Example:
        >>> show_time(np.datetime64("2021-01-31T00:00:00.000")), show_time(np.float64(7))
        ('2021-01-31T00:00', '7')
    """
    if isinstance(time, np.datetime64):
        text = str(np.datetime_as_string(time, unit="auto"))
        return text if "T" in text else f"{text}T00:00"
    return str(int(time)) if float(time).is_integer() else str(float(time))


def show_times(times: np.ndarray) -> list[str]:
    """`show_time` of each of many times `(num_rows,)`, at once where they are dates.

    Example:
        >>> show_times(np.array([7.0, 7.5])), show_times(np.array(["2021-01-31"], "datetime64[ns]"))
        (['7', '7.5'], ['2021-01-31T00:00'])
    """
    if times.dtype.kind == "M":
        texts = np.datetime_as_string(times, unit="auto").tolist()
        return [text if "T" in text else f"{text}T00:00" for text in texts]
    if times.dtype.kind in "iu":
        return [str(time) for time in times.tolist()]
    return [show_time(time) for time in times.tolist()]
