"""A person's own data: CSV and Parquet files, DataFrames, arrays.

What a table may hold: any number of numeric columns (booleans count as 0 and 1, empty cells are
NaN), at most one time column, at most one label column. Rows are told by their number in messages:
"data row 1" is the first row behind the header.

Rules on which results depend:

- **Time** stays as it came. Numbers become float64. Dates must be ISO 8601 and become
  datetime64[ns]; dates with a zone are converted to UTC, so different offsets in one file (summer
  time) are fine; dates with and without a zone in one file are refused. Times must be strictly
  increasing. Mixed sampling rates: see `sampling.py`; gaps: see `gaps.py`.
- **Labels** are 0 and 1 (or false and true), without gaps. A column called `label`,
  `labels`, `is_anomaly` or `anomaly` is the label and never a feature.
- **Features** at scoring must be those of training, in the same order; anything else is refused.
- **Chunks** give the same values as the whole file, at any chunk size.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.datasets.base import check_values
from tsad_keras.datasets.sampling import resample_table
from tsad_keras.datasets.table_cells import show_time
from tsad_keras.datasets.table_chunks import Table, concatenate, convert_chunks
from tsad_keras.datasets.table_columns import find_label_roles, find_roles
from tsad_keras.datasets.table_files import RawTable, check_names, open_table
from tsad_keras.errors import InputError

__all__ = ["Table", "as_table", "iterate_table", "read_labels", "read_table", "table_from_frame"]

_WHOLE_CHUNK = 65536


def read_table(
    path: str | os.PathLike[str],
    *,
    time_column: str | None = None,
    label_column: str | None = None,
    feature_names: Sequence[str] | None = None,
    decimal: str | None = None,
    columns: Sequence[str] | None = None,
) -> Table:
    """Reads a whole `.csv`, `.csv.gz` or `.parquet` file.

    Args:
        path: The file.
        time_column: Name of the time column; None finds it by name (`timestamp`, `date` ...), as an
            unnamed first column, or as the only column of dates.
        label_column: Name of the label column; None finds it by name.
        feature_names: The columns of training, to be matched exactly; None takes what the file has.
        decimal: `"."` or `","`; None finds out.
        columns: The only columns to take as features, in this order; None takes all.

    Returns:
        The table.

    Raises:
        InputError: For each kind of bad input, naming file, column and row.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "a.csv"
        >>> _ = path.write_text("time,cpu,disk\\n2021-01-01T00:00,1,2\\n2021-01-01T00:05,3,\\n")
        >>> table = read_table(path)
        >>> table.feature_names, table.values.tolist()
        (('cpu', 'disk'), [[1.0, 2.0], [3.0, nan]])
    """
    chunks = iterate_table(
        path,
        chunk_size=_WHOLE_CHUNK,
        time_column=time_column,
        label_column=label_column,
        feature_names=feature_names,
        decimal=decimal,
        columns=columns,
    )
    return concatenate(list(chunks))


def iterate_table(
    path: str | os.PathLike[str],
    *,
    chunk_size: int,
    time_column: str | None = None,
    label_column: str | None = None,
    feature_names: Sequence[str] | None = None,
    decimal: str | None = None,
    columns: Sequence[str] | None = None,
) -> Iterator[Table]:
    """Reads a file of any length in tables of `chunk_size` rows (the last may be shorter).

    Memory holds about one chunk. Header and columns are checked at the call, rows as they come,
    with the same result as `read_table`: the chunks put together are that table, and a file
    with one fault gives the same message.

    Args:
        path: The file.
        chunk_size: Rows a chunk, at least 1.
        time_column: As in `read_table`.
        label_column: As in `read_table`.
        feature_names: As in `read_table`.
        decimal: As in `read_table`.
        columns: As in `read_table`.

    Returns:
        Iterator of tables; `first_row` tells where each begins.

    Raises:
        InputError: As `read_table`; for rows, when their chunk is reached.
    """
    if chunk_size < 1:
        raise InputError(f"chunk_size is {chunk_size}, expected at least 1; pass a larger number")
    raw = open_table(path, decimal)
    roles = find_roles(raw, time_column, label_column, feature_names, columns)
    return convert_chunks(raw, roles, chunk_size)


def read_labels(
    path: str | os.PathLike[str],
    *,
    num_rows: int | None = None,
    time_column: str | None = None,
    label_column: str | None = None,
    timestamps: np.ndarray | None = None,
    interval: float | None = None,
) -> np.ndarray:
    """Reads labels from a file of their own (or from a table that has a label column).

    Args:
        path: The file.
        num_rows: How many labels are expected; None takes any number.
        time_column: As in `read_table`.
        label_column: Name of the label column; None finds it by name, or takes the only column
            beside the time.
        timestamps: Times of the rows the labels belong to, shape (num_rows,). They must equal the
            file's, if it has times; None checks nothing.
        interval: Of `sampling.resample`, if the rows they belong to were resampled.

    Returns:
        Labels, shape (num_rows,), int8, 1 = anomalous.

    Raises:
        InputError: For labels of another length, at other times, or other than 0 and 1.
    """
    raw = open_table(path)
    roles = find_label_roles(raw, time_column, label_column)
    table = concatenate(list(convert_chunks(raw, roles, _WHOLE_CHUNK)))
    table = resample_table(table, interval, str(path))
    labels = table.labels
    num_rows = len(timestamps) if num_rows is None and timestamps is not None else num_rows
    if num_rows is not None and len(labels) != num_rows:
        raise InputError(
            f"{path} holds {len(labels)} labels, expected {num_rows}, one for each row of the "
            "data; check that the files belong together"
        )
    if timestamps is not None and table.timestamps is not None:
        _check_same_times(str(path), table.timestamps, np.asarray(timestamps))
    return labels


def table_from_frame(
    frame: pd.DataFrame,
    *,
    time_column: str | None = None,
    label_column: str | None = None,
    feature_names: Sequence[str] | None = None,
    source: str = "the DataFrame",
) -> Table:
    """Takes a DataFrame by the rules of `read_table`; a DatetimeIndex is the time column.

    Any other index is ignored. Columns of text are read as the cells of a CSV file would be.

    Raises:
        InputError: As `read_table`.

    Example:
        >>> table_from_frame(pd.DataFrame({"cpu": [1, 2], "label": [0, 1]})).labels.tolist()
        [0, 1]
    """
    import pyarrow

    if isinstance(frame.index, pd.DatetimeIndex):
        name = frame.index.name or ""
        frame = pd.concat([pd.Series(frame.index, index=frame.index, name=name), frame], axis=1)
    names = check_names(list(frame.columns), source)
    if not len(frame) or not names:
        raise InputError(f"{source} has shape {frame.shape}, expected rows and numeric columns")
    columns = []
    for position in range(len(names)):
        series = frame.iloc[:, position]
        try:
            columns.append(pyarrow.array(series, from_pandas=True))
        except (pyarrow.ArrowException, OverflowError):  # mixed types: take the cells as text
            texts = [None if pd.isna(cell) is True else str(cell) for cell in series]
            columns.append(pyarrow.array(texts, pyarrow.string()))
    columns = [c.combine_chunks() if isinstance(c, pyarrow.ChunkedArray) else c for c in columns]
    batch = pyarrow.RecordBatch.from_arrays(columns, [f"column_{i}" for i in range(len(names))])
    raw = RawTable(source, names, batch, lambda: iter([batch]))
    roles = find_roles(raw, time_column, label_column, feature_names)
    return concatenate(list(convert_chunks(raw, roles, _WHOLE_CHUNK)))


def as_table(
    data: Any, *, feature_names: Sequence[str] | None = None, source: str = "the input"
) -> Table:
    """Takes an array, a DataFrame, a Series or a `Table`.

    Args:
        data: Array of shape (num_timesteps, num_features), or one of the others.
        feature_names: The columns of training. A DataFrame must have exactly these; of an array
            only their number can be checked. None names the columns of an array `feature_0`, ...
        source: What to call the data in messages.

    Returns:
        The table; arrays have neither times nor labels.

    Raises:
        InputError: For another shape, other columns, text or infinite values.

    Example:
        >>> as_table(np.zeros((3, 2))).feature_names
        ('feature_0', 'feature_1')
    """
    if isinstance(data, Table):
        names = tuple(feature_names or data.feature_names)
        if data.feature_names != names:
            frame = pd.DataFrame(data.values, columns=list(data.feature_names))
            return table_from_frame(frame, feature_names=names, source=source)  # tells what differs
        return data
    if isinstance(data, pd.Series):
        data = data.to_frame(data.name if data.name is not None else "feature_0")
    if isinstance(data, pd.DataFrame):
        return table_from_frame(data, feature_names=feature_names, source=source)
    try:
        values = np.asarray(data)
        if values.dtype.kind == "c":
            raise TypeError
        values = values.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{source} is no array of numbers, expected shape (num_timesteps, num_features)"
        ) from error
    if values.ndim != 2 or 0 in values.shape:
        raise InputError(
            f"{source} has shape {values.shape}, expected (num_timesteps, num_features) with at "
            "least one of each; reshape(-1, 1) makes one column of a single feature"
        )
    names = tuple(feature_names or (f"feature_{index}" for index in range(values.shape[1])))
    if len(names) != values.shape[1]:
        raise InputError(
            f"{source} has {values.shape[1]} columns, expected the {len(names)} of training: "
            f"{', '.join(names[:50])}"
        )
    check_values(values, names, source)
    return Table(values, names)


def _check_same_times(source: str, came: np.ndarray, expected: np.ndarray) -> None:
    """Refuses labels at other times than the rows they belong to."""
    if came.dtype.kind != expected.dtype.kind:
        raise InputError(
            f"{source}: times are {'dates' if came.dtype.kind == 'M' else 'numbers'}, those of the "
            f"data are {'dates' if expected.dtype.kind == 'M' else 'numbers'}; use the same times"
        )
    wrong = np.flatnonzero(came != expected)
    if wrong.size:
        row = int(wrong[0])
        raise InputError(
            f"{source}: the label at data row {row + 1} is for time {show_time(came[row])}, "
            f"expected {show_time(expected[row])} as in the data; check that the files belong "
            "together"
        )
