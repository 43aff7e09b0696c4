"""What each column of a person's table is (time, label, feature), decided before reading on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tsad_keras.datasets.table_cells import MISSING, holds_dates, parse_number, plain, time_kind_of
from tsad_keras.datasets.table_files import RawTable
from tsad_keras.errors import InputError

logger = logging.getLogger(__name__)

TIME_NAMES = frozenset(
    {"time", "times", "timestamp", "timestamps", "timestamp_(min)", "time_stamp"}
    | {"date", "datetime", "date_time", "ts"}
)
LABEL_NAMES = frozenset({"label", "labels", "is_anomaly", "anomaly"})


@dataclass(frozen=True)
class Roles:
    """Which column is what. Fixed from the names and the first rows, before any chunk is read.

    Attributes:
        time: Position of the time column, or None.
        time_kind: `"number"`, `"naive"` (a date without zone) or `"aware"` (with zone; becomes
            UTC).
        label: Position of the label column, or None.
        features: Positions of the features.
        feature_names: Their names.
    """

    time: int | None
    time_kind: str
    label: int | None
    features: tuple[int, ...]
    feature_names: tuple[str, ...]


def find_roles(
    raw: RawTable,
    time_column: str | None,
    label_column: str | None,
    feature_names: Sequence[str] | None,
    columns: Sequence[str] | None = None,
) -> Roles:
    """Decides what each column is.

    Args:
        raw: The open file.
        time_column: Name of the time column; None looks for a well-known name, then for an unnamed
            first column (a saved index), then for the only column of dates.
        label_column: Name of the label column; None looks for a well-known name. A column with such
            a name never becomes a feature, unless `feature_names` holds it.
        feature_names: The columns expected, in their order; None takes all that are left.
        columns: The only columns to take as features, in this order; None takes all that are left.

    Raises:
        InputError: If a named column is missing, a choice is ambiguous, no numeric column is left,
            or the features are not `feature_names` in that order.
    """
    wanted = {*(feature_names or ()), *(columns or ())}
    label, label_like = find_label(raw, label_column, wanted)
    time = find_time(raw, time_column, wanted | {raw.names[i] for i in label_like})
    taken = {time, *label_like}
    if raw.names[0] == "" and time != 0:
        logger.info("%s: the unnamed first column is an index and left out", raw.source)
        taken.add(0)
    features = tuple(i for i in range(len(raw.names)) if i not in taken)
    if columns:
        features = tuple(_position(raw, name, "feature") for name in dict.fromkeys(columns))
        if time in features:
            raise InputError(f"{raw.source}: {raw.names[time]!r} is the time, not to be a feature")
    names = tuple(raw.names[i] for i in features)
    if feature_names is not None:
        _check_feature_names(raw.source, names, tuple(feature_names))
    if not any(_may_be_numeric(raw, position) for position in features):
        raise InputError(
            f"{raw.source} has no numeric column (columns: {_listing(raw.names)}), expected at "
            "least one beside time and label; check the file and its separator"
        )
    kind = "number" if time is None else time_kind_of(raw.sample.column(time))
    return Roles(time, kind, label, features, names)


def find_label_roles(raw: RawTable, time_column: str | None, label_column: str | None) -> Roles:
    """Decides the columns of a file read only for its labels; its features are not looked at.

    Raises:
        InputError: If no column can be told to be the label.
    """
    label, label_like = find_label(raw, label_column, set())
    time = find_time(raw, time_column, {raw.names[i] for i in label_like})
    if label is None:
        rest = [i for i in range(len(raw.names)) if i != time]
        if len(rest) != 1:
            raise InputError(
                f"{raw.source} has no column known to be the label among {_listing(raw.names)}, "
                f"expected one of {', '.join(sorted(LABEL_NAMES))}; name it with --label-column"
            )
        label = rest[0]
    kind = "number" if time is None else time_kind_of(raw.sample.column(time))
    return Roles(time, kind, label, (), ())


def find_label(
    raw: RawTable, label_column: str | None, wanted: set[str]
) -> tuple[int | None, set[int]]:
    """Returns the position of the label column, and of all columns that may not be features."""
    found = [
        position
        for position, name in enumerate(raw.names)
        if name.lower() in LABEL_NAMES and name not in wanted
    ]
    if label_column is not None:
        position = _position(raw, label_column, "label")
        return position, {position, *found}
    if len(found) > 1:
        raise InputError(
            f"{raw.source}: columns {_listing(raw.names[i] for i in found)} could all be the "
            "label, expected one; name it with --label-column"
        )
    if found:
        logger.info("%s: %r is the label, not a feature", raw.source, raw.names[found[0]])
    return (found[0] if found else None), set(found)


def find_time(raw: RawTable, time_column: str | None, excluded: set[str]) -> int | None:
    """Returns the position of the time column, or None."""
    if time_column is not None:
        return _position(raw, time_column, "time")
    free = [i for i, name in enumerate(raw.names) if name not in excluded]
    found = [i for i in free if raw.names[i].lower() in TIME_NAMES]
    if not found and raw.names[0] == "":
        found = [0]
    if not found:
        found = [i for i in free if holds_dates(raw.sample.column(i))]
    if len(found) > 1:
        raise InputError(
            f"{raw.source}: columns {_listing(raw.names[i] for i in found)} could all be the time, "
            "expected one; name it with --time-column and remove the others"
        )
    if not found:
        return None
    logger.info("%s: %r is the time column", raw.source, raw.names[found[0]])
    return found[0]


def _check_feature_names(source: str, names: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Refuses features other than those of training, and another order."""
    missing = [name for name in wanted if name not in names]
    extra = [name for name in names if name not in wanted]
    if missing or extra:
        came = [f"lacks {_listing(missing)}"] * bool(missing) + [f"has {_listing(extra)}"] * bool(
            extra
        )
        raise InputError(
            f"{source} {' and '.join(came)}, expected the columns of training: {_listing(wanted)}; "
            "add or remove columns so that they match"
        )
    if names != wanted:
        first = next(i for i, name in enumerate(names) if name != wanted[i])
        raise InputError(
            f"{source} has the columns of training in another order (feature {first + 1} is "
            f"{names[first]!r}, expected {wanted[first]!r}); reorder them to: {_listing(wanted)}"
        )


def _position(raw: RawTable, name: str, role: str) -> int:
    if name not in raw.names:
        flag = "--columns" if role == "feature" else f"--{role}-column"
        raise InputError(
            f"{raw.source} has no column {name!r}, expected it to hold the {role}; its columns are "
            f"{_listing(raw.names)}; name one with {flag}"
        )
    return raw.names.index(name)


def _listing(names: Any, most: int = 50) -> str:
    names = [name or "(unnamed)" for name in names]
    return ", ".join(names[:most]) + (f", ... ({len(names)} in all)" if len(names) > most else "")


def _may_be_numeric(raw: RawTable, position: int) -> bool:
    """Whether the first rows of a column hold a number, or nothing that speaks against it."""
    column = plain(raw.sample.column(position))
    if column is None:
        return False
    if isinstance(column, np.ndarray):
        return True
    cells = [cell.strip() for cell in column.to_pylist() if cell is not None]
    filled = [cell for cell in cells if cell not in MISSING]
    return not filled or any(parse_number(cell, raw.decimal) is not None for cell in filled)
