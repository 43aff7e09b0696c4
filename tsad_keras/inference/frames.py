"""pandas in, pandas out: answers with the index of the series they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

Answer = np.ndarray | pd.Series | pd.DataFrame


def row_index(X: Any) -> pd.Index | None:
    """The index of every time step that came.

    Args:
        X: What the caller handed in, checked before.

    Returns:
        A DataFrame's or Series' own index, times and their zone included. For a list of such, an
        index of two levels, `series` (the position in the list, from 0) and the own index; for a
        dict, `entity` (its keys) and the own index. None if an array is among what came.
    """
    if _is_labelled(X):
        return X.index
    is_dict = isinstance(X, Mapping)
    if not is_dict and not isinstance(X, (list, tuple)):
        return None
    items = list(X.values()) if is_dict else X
    if not items or not all(_is_labelled(item) for item in items):
        return None
    parts = [pd.DataFrame(index=item.index) for item in items]
    joined = pd.concat(parts, keys=list(X) if is_dict else range(len(parts)))
    return joined.index.set_names("entity" if is_dict else "series", level=0)


def like_rows(X: Any, values: np.ndarray, name: str) -> np.ndarray | pd.Series:
    """Values of all time steps: a Series if pandas objects came, else the array as it is.

    Args:
        X: What the caller handed in.
        values: `(num_timesteps,)`, of a list of series one after the other.
        name: The name of the Series.
    """
    index = row_index(X)
    return values if index is None else pd.Series(values, index=index, name=name)


def like_table(X: Any, values: np.ndarray, columns: Sequence[Any]) -> np.ndarray | pd.DataFrame:
    """The same for several columns: a DataFrame if pandas objects came.

    Args:
        X: What the caller handed in.
        values: `(num_timesteps, num_columns)`.
        columns: Names of the columns.
    """
    index = row_index(X)
    return values if index is None else pd.DataFrame(values, index=index, columns=columns)


def own_columns(X: Any, otherwise: Sequence[str]) -> Sequence[Any]:
    """The column labels of a DataFrame, or of the first of several; else the names given."""
    items = list(X.values()) if isinstance(X, Mapping) else X
    first = items[0] if isinstance(items, (list, tuple)) and items else X
    return first.columns if isinstance(first, pd.DataFrame) else list(otherwise)


def as_frame(item: Any) -> Any:
    """A pandas Series as the DataFrame of a single feature; anything else as it is."""
    if isinstance(item, pd.Series):
        return item.to_frame("feature_0" if item.name is None else item.name)
    return item


def _is_labelled(item: Any) -> bool:
    return isinstance(item, (pd.DataFrame, pd.Series))
