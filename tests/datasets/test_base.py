"""The dataset's checks and the cut in time order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tsad_keras.datasets.base import TimeSeriesDataset, check_values, split_tail
from tsad_keras.errors import InputError


def make(**changes) -> TimeSeriesDataset:
    arguments = {
        "name": "own",
        "entity": "a",
        "train": np.arange(8.0).reshape(4, 2),
        "test": np.zeros((3, 2)),
        "test_labels": np.array([0, 1, 0]),
        "feature_names": ("cpu", "disk"),
    }
    return TimeSeriesDataset(**{**arguments, **changes})


def test_frozen_and_read_only_without_touching_the_callers_array():
    train = np.arange(8.0).reshape(4, 2)
    dataset = make(train=train)
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.train = train
    with pytest.raises(ValueError, match="read-only"):
        dataset.train[0, 0] = 1
    train[0, 0] = 1  # the caller may go on writing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test": np.zeros((3, 3))}, "test part has 3 columns, expected 2"),
        ({"train": np.zeros(4)}, r"train part has shape \(4,\)"),
        ({"test": np.zeros((0, 2)), "test_labels": None}, "test part has no rows"),
        ({"train": np.zeros((0, 2))}, "no rows to train on"),
        ({"test_labels": np.array([0, 1])}, r"test_labels has shape \(2,\), expected \(3,\)"),
        ({"test_labels": np.array([0, 2, 1])}, "label 2 at data row 2"),
        ({"test_labels": np.array([0, 1, np.nan])}, "label nan at data row 3"),
        ({"test_timestamps": np.arange(4)}, r"test_timestamps has shape \(4,\)"),
        ({"test_feature_labels": np.zeros((2, 2))}, r"test_feature_labels has shape \(2, 2\)"),
        ({"train": np.full((4, 2), 7.0)}, r"all 2 columns \(cpu, disk\) are constant"),
        ({"train": [[1, np.nan], [2, np.nan]]}, "column 'disk' holds no value"),
        ({"test": [[0, 0], [0, -np.inf], [0, 0]]}, "column 'disk' holds an infinite.* data row 2"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        make(**changes)


def test_what_is_allowed():
    train = [[1, np.nan, 5], [2, 3, 5]]
    dataset = make(
        train=train, test=np.full((3, 3), np.nan), feature_names=["a", "b", "c"], test_labels=None
    )
    assert dataset.anomaly_ratio is None
    assert dataset.feature_names == ("a", "b", "c")


def test_check_values_counts_rows_from_first_row():
    with pytest.raises(InputError, match="b.csv: column 'y' .* data row 42"):
        check_values(np.array([[0, 1], [0, np.inf]]), ["x", "y"], "b.csv", first_row=41)


@pytest.mark.parametrize("num_rows", [2, 3, 10, 101])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.999])
def test_tail_keeps_order_and_every_row(num_rows, fraction):
    series = np.arange(num_rows)
    head, tail = split_tail(series, fraction)
    np.testing.assert_array_equal(np.concatenate([head, tail]), series)
    assert len(tail) == max(1, min(round(num_rows * fraction), num_rows - 1))


@pytest.mark.parametrize(
    ("num_rows", "fraction", "lengths"),
    [(39, 0.1, [39, 0]), (40, 0.1, [20, 20]), (1500, 0.1, [1350, 150]), (50, 0.9, [20, 30])],
)
def test_no_part_is_shorter_than_the_least(num_rows, fraction, lengths):
    assert [len(part) for part in split_tail(np.arange(num_rows), fraction, 20)] == lengths
