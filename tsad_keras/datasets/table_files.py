"""Opening a person's CSV or Parquet file as a stream of column batches, with flat memory.

Cells of a CSV file stay text here: `table_columns.py` turns them into numbers. So what a cell means
never depends on the cells around it, nor on where a chunk of rows begins.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import gzip
import io
import os
import re
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tsad_keras.errors import InputError

if TYPE_CHECKING:
    import pyarrow

EXTENSIONS = (".csv", ".csv.gz", ".parquet")
SAMPLE_SIZE = 1000
_HEAD_BYTES = 1 << 20
_BLOCK_BYTES = 1 << 20  # Arrow parses one more ahead, also where only the sample is read
_BATCH_ROWS = 8192
_PARQUET_BUFFER_BYTES = 1 << 16  # a column; without one, a whole row group is held
_DELIMITERS = ",;\t|"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d+,\d+([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class RawTable:
    """An open file before its columns have a meaning.

    Attributes:
        source: File name, for messages.
        names: Column names without surrounding blanks, checked to be unique.
        sample: The first rows, at most `SAMPLE_SIZE` and at least one.
        open_batches: Starts to read from the first row again.
        decimal: Decimal mark of numbers in text.
    """

    source: str
    names: tuple[str, ...]
    sample: pyarrow.RecordBatch
    open_batches: Callable[[], Iterator[pyarrow.RecordBatch]]
    decimal: str = "."


def open_table(path: str | os.PathLike[str], decimal: str | None = None) -> RawTable:
    """Opens a `.csv`, `.csv.gz` or `.parquet` file.

    CSV: UTF-8, one header line; the separator (comma, semicolon, tab, bar) is taken from the
        header.
    Blank lines are skipped, except in a file of one column, where they are missing values.

    Args:
        path: The file.
        decimal: `"."` or `","`; None takes the comma only where cells of a file that is not
            separated by commas look like `1,5`.

    Raises:
        InputError: If the file is missing, empty, not readable or not of its kind.
    """
    path = Path(path)
    extension = next((e for e in EXTENSIONS if path.name.lower().endswith(e)), None)
    with _readable(path):
        if path.is_dir():
            raise InputError(
                f"{path} is a folder, expected a file; name one of the files inside it"
            )
        if not path.exists():
            raise InputError(f"{path} not found, expected a CSV or Parquet file; check the path")
        if extension is None:
            raise InputError(
                f"{path} has an unknown extension, expected one of {', '.join(EXTENSIONS)}; "
                "convert or rename the file"
            )
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty, expected a header and rows; check how it was made")
    if decimal not in (None, ".", ","):
        raise InputError(f"decimal is {decimal!r}, expected '.' or ','")
    return _open_parquet(path) if extension == ".parquet" else _open_csv(path, decimal)


def check_names(names: list[str], source: str) -> tuple[str, ...]:
    """Returns the column names without surrounding blanks; refuses names that occur twice."""
    stripped = [str(name).strip() for name in names]
    for position, name in enumerate(stripped):
        if name in stripped[:position]:
            raise InputError(
                f"{source}: column name {name!r} occurs twice (columns "
                f"{stripped.index(name) + 1} and {position + 1}), expected unique names; rename one"
            )
        if not name and position > 0:
            raise InputError(
                f"{source}: column {position + 1} has no name; name it in the header or remove it"
            )
    return tuple(stripped)


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turns every way in which reading a file can fail into one `InputError`."""
    import pyarrow

    try:
        yield
    except InputError:
        raise
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from error
    except (pyarrow.ArrowException, EOFError, zlib.error, csv.Error, OSError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        if "invalid UTF8" in reason:
            raise InputError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from error
        kind = "Parquet" if path.name.lower().endswith(".parquet") else "CSV"
        raise InputError(
            f"cannot read {path} as {kind} ({reason[:200]}); check the file and that you may read "
            "it"
        ) from error


def _open_parquet(path: Path) -> RawTable:
    """Opens a Parquet file; its columns keep their types."""
    import pyarrow.parquet

    def batches() -> Iterator[pyarrow.RecordBatch]:
        # Buffering ahead, the default, would keep all that was read until the file is closed.
        options = {"pre_buffer": False, "buffer_size": _PARQUET_BUFFER_BYTES}
        with _readable(path), pyarrow.parquet.ParquetFile(path, **options) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS)

    with _readable(path), pyarrow.parquet.ParquetFile(path) as file:
        names = [
            "" if re.fullmatch(r"__index_level_\d+__", n) else n for n in file.schema_arrow.names
        ]
        if not names:
            raise InputError(f"{path} has no columns, expected numeric columns; check the file")
    # An unnamed index is stored behind the columns; it is the first column everywhere else.
    order = [i for i, name in enumerate(names) if not name] + [i for i, n in enumerate(names) if n]
    names = [names[position] for position in order]

    def ordered_batches() -> Iterator[pyarrow.RecordBatch]:
        for batch in batches():
            yield batch.select(order)

    return _with_sample(str(path), check_names(names, str(path)), ordered_batches)


def _open_csv(path: Path, decimal: str | None) -> RawTable:
    """Opens a CSV file; all its columns are text."""
    names, delimiter, header_lines = _read_header(path)

    def batches() -> Iterator[pyarrow.RecordBatch]:
        return _iterate_csv(path, len(names), delimiter, header_lines)

    raw = _with_sample(str(path), check_names(names, str(path)), batches)
    if decimal is None:
        cells = (cell for column in raw.sample.columns for cell in column.to_pylist())
        comma = delimiter != "," and any(_COMMA_NUMBER.fullmatch(cell) for cell in cells)
        decimal = "," if comma else "."
    return RawTable(raw.source, raw.names, raw.sample, batches, decimal)


def _open_bytes(path: Path) -> IO[bytes]:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def _read_header(path: Path) -> tuple[list[str], str, int]:
    """Returns column names, separator, and how many lines of the file the header takes."""
    with _readable(path):
        with _open_bytes(path) as file:
            head = file.read(_HEAD_BYTES)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in head:
            raise InputError(f"{path} is not a text file, expected CSV in UTF-8; convert it")
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head)
        first_line = next((line for line in text.splitlines() if line.strip()), "")
        bare = re.sub(r'"[^"]*"', "", first_line)
        delimiter = max(_DELIMITERS, key=bare.count)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        names = next((row for row in reader if any(cell.strip() for cell in row)), None)
    if names is None:
        raise InputError(f"{path} is empty, expected a header and rows; check how it was made")
    numbers = [cell.strip() for cell in names if cell.strip()]
    counted = numbers in ([str(i) for i in range(s, s + len(numbers))] for s in (0, 1))
    if all(_NUMBER.fullmatch(cell) for cell in numbers) and not counted:
        raise InputError(
            f"{path} has no header, its first line holds numbers ({', '.join(numbers[:3])}); put a "
            "line with the column names on top"
        )
    return names, delimiter, reader.line_num


def _iterate_csv(
    path: Path, num_columns: int, delimiter: str, header_lines: int
) -> Iterator[pyarrow.RecordBatch]:
    """Reads the rows behind the header block by block, refusing rows of another length."""
    import pyarrow
    import pyarrow.csv

    ragged = []

    def note_ragged_row(row: pyarrow.csv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    columns = [f"column_{position}" for position in range(num_columns)]
    options = {
        "read_options": pyarrow.csv.ReadOptions(
            column_names=columns,
            skip_rows=header_lines,
            block_size=_BLOCK_BYTES,
            use_threads=False,
        ),
        "parse_options": pyarrow.csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=True,
            ignore_empty_lines=num_columns > 1,
            invalid_row_handler=note_ragged_row,
        ),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pyarrow.string()), strings_can_be_null=False
        ),
    }
    with _readable(path), _open_bytes(path) as file:
        try:
            yield from pyarrow.csv.open_csv(file, **options)
        except pyarrow.ArrowInvalid as error:
            if ragged:
                row = ragged[0]
                raise InputError(
                    f"{path}: line {row.number} has {row.actual_columns} cells, expected "
                    f"{row.expected_columns} as in the header; mend that line"
                ) from error
            if "Could not skip" not in str(error):  # that one: nothing behind the header
                raise


def _with_sample(
    source: str, names: tuple[str, ...], batches: Callable[[], Iterator[pyarrow.RecordBatch]]
) -> RawTable:
    """Builds the `RawTable`, refusing a file without rows."""
    for batch in batches():
        if batch.num_rows:
            return RawTable(source, names, batch.slice(0, SAMPLE_SIZE), batches)
    raise InputError(f"{source} has a header but no rows, expected at least one; add the data")
