"""What a caller may hand in as series, and what each mistake gets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.errors import InputError
from tsad_keras.inference.frames import as_frame

Series = np.ndarray | pd.DataFrame | pd.Series | Sequence[np.ndarray | pd.DataFrame | pd.Series]


def as_series_list(X: Series) -> tuple[list[np.ndarray], list[str] | None]:
    """Arrays of all series and the column names, if DataFrames (or pandas Series) came."""
    items = [as_frame(item) for item in (X if isinstance(X, (list, tuple)) else [X])]
    if not items:
        raise InputError("an empty list of series came, expected at least one series")
    if all(
        np.ndim(item) == 0 or (np.ndim(item) == 1 and not hasattr(item, "columns"))
        for item in items
    ):
        items = [np.asarray(X)]
    names = None
    for item in items:
        if isinstance(item, pd.DataFrame):
            current = [str(column) for column in item.columns]
            if names is not None and current != names:
                raise InputError(
                    f"the series have different columns: {', '.join(names)} and "
                    f"{', '.join(current)}; give all the same columns in the same order"
                )
            names = current
    arrays = [as_values(item) for item in items]
    widths = {array.shape[1] for array in arrays}
    if len(widths) > 1:
        raise InputError(f"the series have {sorted(widths)} features, expected the same number")
    return arrays, names


def as_values(item: Any) -> np.ndarray:
    """Checks one series and returns it as `(num_timesteps, num_features)` float64."""
    try:
        if isinstance(item, pd.DataFrame):
            _check_types(item)
            item = item.to_numpy(dtype=np.float64, na_value=np.nan)
        # One order in memory, because sums over another one differ in their last bits.
        values = np.ascontiguousarray(item, dtype=np.float64) if np.ndim(item) else np.asarray(item)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the series has values that are no numbers ({error}); pass numeric columns only"
        ) from error
    if values.ndim != 2 or values.shape[1] == 0:
        raise InputError(
            f"the series has shape {values.shape}, expected (num_timesteps, num_features); use "
            "reshape(-1, 1) for a single feature"
        )
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise InputError(
            f"row {row + 1}, column {column + 1} is infinite, expected finite values or NaN; "
            "replace it"
        )
    return values


def _check_types(frame: pd.DataFrame) -> None:
    """Refuses times and texts, which NumPy would turn into numbers where it can."""
    for name, column in frame.items():
        dtype = column.dtype
        if pd.api.types.is_object_dtype(dtype):  # may hold numbers; pandas 2 keeps texts so, too
            refused = pd.api.types.infer_dtype(column, skipna=True) == "string"
        else:
            refused = not pd.api.types.is_numeric_dtype(dtype)
        if refused:
            raise InputError(
                f"column {str(name)!r} is of type {dtype}, expected numbers; pass numeric columns "
                "only"
            )


def check_names(names: Sequence[str] | None, num_features: int) -> tuple[str, ...]:
    """Returns the names as a tuple, `feature_0 ...` if there are none."""
    if names is None:
        return unnamed(num_features)
    if len(names) != num_features:
        raise InputError(f"{len(names)} feature_names came for {num_features} features")
    return tuple(str(name) for name in names)


def unnamed(num_features: int) -> tuple[str, ...]:
    """The names of features that came without any."""
    return tuple(f"feature_{index}" for index in range(num_features))


def check_series(X: Series, feature_names: tuple[str, ...], window_size: int) -> list[np.ndarray]:
    """Returns the series as arrays, if a detector trained on these features can score them.

    Args:
        X: As for `as_series_list`.
        feature_names: Those of training.
        window_size: The least number of time steps.

    Returns:
        Arrays `(num_timesteps, num_features)` float64.

    Raises:
        InputError: For other columns, another order or number of columns, or too few time steps.
    """
    series, names = as_series_list(X)
    # Trained on an array, there are no names that a DataFrame's own could contradict.
    is_array_made = feature_names == unnamed(len(feature_names))
    if is_array_made and names is not None and not set(names) & set(feature_names):
        names = None
    if names is not None and list(names) != list(feature_names):
        raise InputError(
            f"the columns are {', '.join(names)}, expected those of training in their order: "
            f"{', '.join(feature_names)}"
        )
    for values in series:
        check_width(values, feature_names)
        if len(values) < window_size:
            raise InputError(
                f"a series has {len(values)} time steps, expected at least window_size "
                f"({window_size}); pass a longer series"
            )
    return series


def check_width(values: np.ndarray, feature_names: tuple[str, ...]) -> np.ndarray:
    """Returns `values` if it has as many columns as there are names, else raises `InputError`."""
    if values.shape[1] != len(feature_names):
        raise InputError(
            f"the series has {values.shape[1]} features, expected the {len(feature_names)} of "
            "training; pass the same columns"
        )
    return values
