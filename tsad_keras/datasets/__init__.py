"""Datasets: published benchmarks, a synthetic one, and a person's own tables.

Every reader gives a frozen `TimeSeriesDataset`. Readers are imported when used, so importing this
package is quick.

Example:
    >>> from tsad_keras.datasets import load_dataset
    >>> load_dataset("synthetic", num_train=200, num_test=100).train.shape
    (200, 38)
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tsad_keras.errors import InputError

if TYPE_CHECKING:
    from tsad_keras.datasets.base import TimeSeriesDataset

__all__ = ["DATASET_NAMES", "list_entities", "load_dataset"]

DATASET_NAMES = ("synthetic", "psm", "smd", "smap", "msl", "skab", "own")


def load_dataset(
    name: str,
    entity: str | None = None,
    data_dir: str | os.PathLike[str] = "data",
    **options: Any,
) -> TimeSeriesDataset:
    """Loads one entity of a dataset.

    Args:
        name: One of `DATASET_NAMES`.
        entity: Which series; None if the dataset has only one.
        data_dir: Folder that holds the datasets' folders, or the dataset's own folder.
        **options: What the reader takes besides: `seed`, `num_train` ... (synthetic),
            `time_column`, `label_column` (own), `include_anomaly_free` (skab).

    Returns:
        The dataset.

    Raises:
        InputError: For an unknown name, entity or option, and for files that are missing or
            damaged.
    """
    module, leading = _reader(name)
    _check_options(name, module.load, options)
    return module.load(*leading, entity, data_dir, **options)


def list_entities(
    name: str, data_dir: str | os.PathLike[str] = "data", **options: Any
) -> list[str]:
    """Lists the entities of a dataset in natural order (`machine-1-2` before `machine-1-10`).

    Args:
        name: One of `DATASET_NAMES`.
        data_dir: As in `load_dataset`.
        **options: `include_anomaly_free` (skab).

    Raises:
        InputError: For an unknown name or option, or if the files are missing.

    Example:
        >>> list_entities("synthetic")
        ['synthetic']
    """
    module, leading = _reader(name)
    _check_options(name, module.list_entities, options)
    return module.list_entities(*leading, data_dir, **options)


def _reader(name: str) -> tuple[ModuleType, tuple[str, ...]]:
    """Returns the reader's module, and the arguments it takes before the others."""
    if name not in DATASET_NAMES:
        raise InputError(f"unknown dataset {name!r}, expected one of: {', '.join(DATASET_NAMES)}")
    shared = name in ("smap", "msl")
    module = importlib.import_module(f"{__name__}.{'smap_msl' if shared else name}")
    return module, (name,) if shared else ()


def _check_options(name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
    """Refuses options that the reader does not take."""
    known = set(inspect.signature(function).parameters) - {"name", "entity", "data_dir"}
    for option in options:
        if option not in known:
            raise InputError(
                f"dataset {name!r} has no option {option!r}, expected "
                f"{'one of: ' + ', '.join(sorted(known)) if known else 'none'}"
            )
