"""The one shape every dataset has, the checks on it, and the cut in time order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tsad_keras.errors import InputError


@dataclass(frozen=True)
class AnomalySegment:
    """One true anomalous stretch of the test part.

    Attributes:
        start: Index of its first row in the test part (from 0).
        end: Index after its last row, so `labels[start:end]` are its labels.
        kind: What kind it is (`"spike"`, `"contextual"` ...); empty where the source does not say.
        features: Column indices (from 0) it touches; empty where the source does not say.
    """

    start: int
    end: int
    kind: str = ""
    features: tuple[int, ...] = ()


def check_values(
    values: np.ndarray,
    feature_names: Sequence[str],
    source: str,
    *,
    training: bool = False,
    first_row: int = 1,
) -> None:
    """Refuses values that no policy for missing data can repair.

    NaNs are allowed (the scaler's documented rule handles them), infinite values never are.
    Training values must also say something: no column without a single value, and not every
    column constant. A single constant column is allowed, because the published data have them.

    Args:
        values: Numbers, shape (num_timesteps, num_features).
        feature_names: Column names, length num_features.
        source: File or dataset name, for the message.
        training: Whether to apply the two rules for training values.
        first_row: Number of the first row in the messages; rows count from 1, without the header.

    Raises:
        InputError: With the column and the row at fault.

    Example:
        >>> check_values(np.array([[0.0, np.inf]]), ["cpu", "disk"], "a.csv")
        Traceback (most recent call last):
        ...
        tsad_keras.errors.InputError: a.csv: column 'disk' holds an infinite value at data row 1, \
expected finite numbers or empty cells; mend or empty that cell
    """
    infinite = np.isinf(values)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise InputError(
            f"{source}: column {feature_names[column]!r} holds an infinite value at data row "
            f"{first_row + row}, expected finite numbers or empty cells; mend or empty that cell"
        )
    if not training:
        return
    if len(values) == 0:
        raise InputError(f"{source}: no rows to train on, expected at least one; use a longer file")
    missing = np.isnan(values)
    empty = np.flatnonzero(missing.all(axis=0))
    if empty.size:
        raise InputError(
            f"{source}: column {feature_names[empty[0]]!r} holds no value in any training row, "
            "expected some numbers; fill or remove the column"
        )
    lowest = np.where(missing, np.inf, values).min(axis=0)
    highest = np.where(missing, -np.inf, values).max(axis=0)
    if np.array_equal(lowest, highest):
        names = ", ".join([*feature_names[:5], *["..."] * (len(feature_names) > 5)])
        raise InputError(
            f"{source}: all {len(feature_names)} columns ({names}) "
            "are constant in the training rows, expected one that varies; check the file"
        )


def check_labels(labels: np.ndarray, source: str) -> np.ndarray:
    """Returns `labels` (num_timesteps,) as int8 after checking that all are 0 or 1.

    Raises:
        InputError: Naming the first row with another value.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise InputError(f"{source}: labels of shape {labels.shape}, expected one label a row")
    wrong = np.flatnonzero(~((labels == 0) | (labels == 1)))
    if wrong.size:
        raise InputError(
            f"{source}: label {labels[wrong[0]]} at data row {wrong[0] + 1}, expected 0 (normal) "
            "or 1 (anomalous); mend that label"
        )
    return labels.astype(np.int8)


def split_tail(
    values: np.ndarray, fraction: float, least_rows: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Cuts the tail off one series, in time order and never shuffled.

    Args:
        values: Series of shape (num_timesteps, num_features), or anything cut along its first axis.
        fraction: Share of rows for the tail, rounded to the nearest whole row.
        least_rows: Rows that each part has at least; a series too short for that is not cut.

    Returns:
        Views of the head and of the tail, which may be empty.

    Example:
        >>> head, tail = split_tail(np.arange(10), 0.2)
        >>> tail.tolist()
        [8, 9]
        >>> [len(part) for part in split_tail(np.zeros((100, 1)), 0.1, least_rows=20)]
        [80, 20]
    """
    if len(values) < 2 * least_rows:
        return values, values[len(values) :]
    num_tail = min(max(round(fraction * len(values)), least_rows), len(values) - least_rows)
    return values[: len(values) - num_tail], values[len(values) - num_tail :]


@dataclass(frozen=True, eq=False)
class TimeSeriesDataset:
    """One entity (a machine, a channel, a file) with its train and test part. Arrays are read-only.

    Attributes:
        name: Dataset name, as in `load_dataset`.
        entity: Which series of the dataset this is.
        train: Training values, shape (num_train, num_features), float64; NaN = missing.
        test: Test values, shape (num_test, num_features), float64; NaN = missing.
        test_labels: 1 = anomalous, shape (num_test,), int8; None if unknown.
        feature_names: Column names, length num_features.
        train_timestamps: Times of the training rows, shape (num_train,), or None.
        test_timestamps: Times of the test rows, shape (num_test,), or None.
        test_feature_labels: True where a true segment touches a feature, shape (num_test,
            num_features), bool; None if the source does not say.
        test_segments: The true segments in time order, if the source lists them.
        notes: What a report has to tell about these data.

    Raises:
        InputError: For shapes that do not fit together and values `check_values` refuses.

    Example:
        >>> dataset = TimeSeriesDataset("own", "a", np.eye(4), np.eye(4)[:2], [0, 1], list("wxyz"))
        >>> dataset.num_features, dataset.num_train, dataset.num_test, dataset.anomaly_ratio
        (4, 4, 2, 0.5)
    """

    name: str
    entity: str
    train: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray | None
    feature_names: tuple[str, ...]
    train_timestamps: np.ndarray | None = None
    test_timestamps: np.ndarray | None = None
    test_feature_labels: np.ndarray | None = None
    test_segments: tuple[AnomalySegment, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        source = f"dataset {self.name!r}, entity {self.entity!r}"
        object.__setattr__(self, "feature_names", tuple(str(name) for name in self.feature_names))
        object.__setattr__(self, "test_segments", tuple(self.test_segments))
        object.__setattr__(self, "notes", tuple(self.notes))
        for part in ("train", "test"):
            values = _as_matrix(getattr(self, part), self.feature_names, f"{source}, {part} part")
            check_values(
                values, self.feature_names, f"{source}, {part} part", training=part == "train"
            )
            self._store(part, values)
        if len(self.test) == 0:
            raise InputError(f"{source}: the test part has no rows, expected at least one")
        if self.test_labels is not None:
            labels = check_labels(self.test_labels, f"{source}, test labels")
            self._store("test_labels", labels, (self.num_test,), source)
        for part, count in (("train", self.num_train), ("test", self.num_test)):
            self._store(f"{part}_timestamps", getattr(self, f"{part}_timestamps"), (count,), source)
        if self.test_feature_labels is not None:
            feature_labels = np.asarray(self.test_feature_labels, bool)
            self._store("test_feature_labels", feature_labels, self.test.shape, source)

    def _store(
        self,
        field: str,
        values: np.ndarray | None,
        shape: tuple[int, ...] | None = None,
        source: str = "",
    ) -> None:
        """Puts a read-only view of `values` into `field`, after checking its shape."""
        if values is None:
            return
        view = np.asarray(values).view()
        if shape is not None and view.shape != shape:
            raise InputError(
                f"{source}: {field} has shape {view.shape}, expected {shape}; check that the files "
                "belong together"
            )
        view.flags.writeable = False
        object.__setattr__(self, field, view)

    @property
    def num_features(self) -> int:
        """Number of columns."""
        return self.train.shape[1]

    @property
    def num_train(self) -> int:
        """Number of training rows."""
        return self.train.shape[0]

    @property
    def num_test(self) -> int:
        """Number of test rows."""
        return self.test.shape[0]

    @property
    def anomaly_ratio(self) -> float | None:
        """Share of anomalous test rows in [0, 1]; None without labels."""
        return None if self.test_labels is None else float(np.mean(self.test_labels))


def _as_matrix(values: np.ndarray, feature_names: tuple[str, ...], source: str) -> np.ndarray:
    """Returns `values` as float64 of shape (num_timesteps, num_features), or raises InputError."""
    matrix = np.asarray(values, np.float64)
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise InputError(
            f"{source} has shape {matrix.shape}, expected (num_timesteps, num_features)"
        )
    if matrix.shape[1] != len(feature_names):
        raise InputError(
            f"{source} has {matrix.shape[1]} columns, expected {len(feature_names)} "
            f"({', '.join(feature_names[:5])}{', ...' * (len(feature_names) > 5)}); "
            "train and test need the same columns"
        )
    return matrix
