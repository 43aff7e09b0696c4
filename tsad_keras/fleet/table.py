"""`fleet.csv`: one row for each entity, whatever became of it."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

from tsad_keras.files import atomic_write

FILE_NAME = "fleet.csv"
COLUMNS = (
    "entity",
    "folder",
    "state",
    "rows",
    "features",
    "best_epoch",
    "threshold",
    "seconds",
    "error",
)
_SECONDS_BETWEEN_WRITES = 1.0  # the models' own markers are the truth, this is for readers


class FleetTable:
    """The rows by entity; those of entities that this run leaves alone stay.

    Args:
        path: The file.
        folders: Folder name of each entity of this run, in order; their `state` is `waiting` until
            `put`.
    """

    def __init__(self, path: Path, folders: dict[str, str]) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = _read(path)
        for entity, folder in folders.items():
            self.rows[entity] = {"entity": entity, "folder": folder, "state": "waiting"}
        self._written = 0.0

    def put(self, entity: str, facts: dict[str, Any]) -> None:
        """Sets what became of an entity; the file follows within a second or with `write`."""
        row = {**self.rows[entity], "error": "", **facts}
        self.rows[entity] = {name: row.get(name, "") for name in COLUMNS}
        if time.monotonic() - self._written > _SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Replaces the file."""
        with atomic_write(self.path) as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.rows.values())
        self._written = time.monotonic()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of an earlier run; none where the file is missing or something else."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                return {}
            return {row["entity"]: row for row in reader if None not in row}
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
