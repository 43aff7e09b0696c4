"""`results.csv`: rows appended as they come, and what is still true of the rows of earlier runs."""

from __future__ import annotations

import csv
import io
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tsad_keras.benchmark.worker import METRICS
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write

logger = logging.getLogger(__name__)

KEY = ("dataset", "entity", "method", "seed", "post")
VERSIONS = ("tsad_keras", "python", "tensorflow", "keras", "numpy", "scipy", "scikit_learn")
FIELDS = (
    *("dataset", "entity", "method", "family", "seed", "post"),
    *METRICS[:-1],
    *("threshold", "alarm_rate", "false_alarm_rate"),
    *("fit_seconds", "score_seconds", "peak_memory_mb"),
    *("data_sha256", "settings_sha256"),
    *(f"version_{name}" for name in VERSIONS),
    METRICS[-1],  # point adjustment: last, because it proves nothing
)
_TEXT = {"dataset", "entity", "method", "family", "post", "data_sha256", "settings_sha256"}

Row = dict[str, Any]


class ResultsFile:
    """Rows in a CSV file that survives being killed.

    A block of rows is written at once and flushed to the disk. A last line that was cut off is
    removed at the next start.

    Args:
        path: The file; made with its first block.
        conditions: Further columns in front, by name, each with the type of its values.
        key: Columns of which there is one row each.

    Attributes:
        rows: All rows in the file, in its order; numbers as numbers, empty cells as None.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        conditions: Mapping[str, type] | None = None,
        key: Sequence[str] = KEY,
    ) -> None:
        self.path = Path(path)
        self.key = tuple(key)
        self._conditions = dict(conditions or {})
        self._fields = (*self._conditions, *FIELDS)
        self._lock = threading.Lock()
        self.rows: list[Row] = []
        if self.path.exists():
            self._read()

    def append(self, rows: Iterable[Row]) -> None:
        """Writes rows whose keys are not there yet.

        Raises:
            InputError: If the file cannot be written to.
        """
        with self._lock:
            known = self.keys()
            new = [row for row in rows if key_of(row, self.key) not in known]
            text = io.StringIO()
            writer = csv.DictWriter(text, self._fields, lineterminator="\n")
            if not self.rows and not (self.path.exists() and self.path.stat().st_size):
                writer.writeheader()
            writer.writerows(new)
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8", newline="") as file:
                    file.write(text.getvalue())
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise InputError(
                    f"cannot write {self.path}: {error.strerror or error}; free some space or "
                    "choose a folder you may write to"
                ) from error
            self.rows += new

    def keys(self) -> set[tuple]:
        """The keys of all rows."""
        return {key_of(row, self.key) for row in self.rows}

    def drop(self, is_outdated: Callable[[Row], bool]) -> int:
        """Takes rows out; the file as it was stays beside it as `*.previous.csv`.

        Args:
            is_outdated: Says which.

        Returns:
            How many.
        """
        kept = [row for row in self.rows if not is_outdated(row)]
        dropped = len(self.rows) - len(kept)
        if dropped:
            self.path.replace(self.path.with_suffix(".previous.csv"))
            self.rows = kept
            self._rewrite()
        return dropped

    def _read(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"cannot read {self.path}: {error}; expected results of this command, choose "
                "another --output"
            ) from error
        whole = text[: text.rfind("\n") + 1]
        reader = csv.DictReader(io.StringIO(whole, newline=""))
        if whole and tuple(reader.fieldnames or ()) != self._fields:
            raise InputError(
                f"{self.path} has other columns than this version writes; move it away or choose "
                "another --output"
            )
        self.rows = [
            _typed(row, self._conditions)
            for row in reader
            if None not in row and None not in row.values()
        ]
        if whole != text:
            logger.warning("%s: its last line was cut off; removed", self.path)
            self._rewrite()

    def _rewrite(self) -> None:
        with atomic_write(self.path) as file:
            writer = csv.DictWriter(file, self._fields, lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows)


def key_of(row: Row, key: Sequence[str] = KEY) -> tuple:
    """What there is one row of."""
    return tuple(row[name] for name in key)


def _typed(row: dict[str, str], conditions: Mapping[str, type]) -> Row:
    return {
        name: conditions[name](value)
        if name in conditions
        else value
        if name in _TEXT or name.startswith("version_")
        else None
        if value == ""
        else int(value)
        if name == "seed"
        else float(value)
        for name, value in row.items()
    }
