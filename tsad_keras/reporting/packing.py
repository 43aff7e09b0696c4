"""Arrays as short text for a page: shuffled bytes, zlib, base64; browsers undo all three."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np

MISSING = np.iinfo(np.int32).min  # stands for NaN among whole multiples of a step
LEVELS = 2**14  # steps in the central range of a feature: finer than any screen
MAX_RUNS = 5000  # of evenly spaced times; beyond, every time is stored


def pack(values: np.ndarray) -> str:
    """Four-byte numbers as base64 of zlib of all first bytes, then all second bytes and so on.

    The order of the bytes lets zlib find what neighbours have in common (HDF5 calls it shuffle).

    Args:
        values: `(n,)` float32 or int32.

    Example:
        >>> unpack(pack(np.array([1, 2, 3], np.int32)), np.int32).tolist()
        [1, 2, 3]
    """
    data = np.ascontiguousarray(values)
    if data.dtype.itemsize != 4:
        raise ValueError(f"values are {data.dtype}, expected float32 or int32")
    little = data.astype(data.dtype.newbyteorder("<"), copy=False)
    planes = little.view(np.uint8).reshape(-1, 4).T
    return base64.b64encode(zlib.compress(planes.tobytes(), 6)).decode("ascii")


def unpack(text: str, dtype: type) -> np.ndarray:
    """The inverse of `pack`, as the page does it: `(n,)` of float32 or int32."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).reshape(4, -1)
    return np.ascontiguousarray(planes.T).reshape(-1).view(np.dtype(dtype).newbyteorder("<"))


def pack_feature(values: np.ndarray) -> dict[str, Any]:
    """Raw values as whole multiples of a step that no reader of a chart can see.

    The step is the range of the central 99.8 % of the values divided by 16384, so that a single
    wild value costs the others nothing.

    Args:
        values: `(n,)`, NaN where missing.

    Returns:
        `low`, `step` and `data`: value = low + step * number; the lowest int32 is a missing value.

    Example:
        >>> unpack_feature(pack_feature(np.array([0.5, np.nan, 2.5]))).round(3).tolist()
        [0.5, nan, 2.5]
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return {"low": 0.0, "step": 1.0, "data": pack(np.full(len(values), MISSING, np.int32))}
    low, high = float(known.min()), float(known.max())
    central = float(np.subtract(*np.quantile(known, [0.999, 0.001])))
    step = max((central or high - low) / LEVELS, (high - low) / 2**30) or 1.0
    with np.errstate(invalid="ignore"):
        numbers = np.where(np.isnan(values), MISSING, np.rint((values - low) / step))
    return {"low": low, "step": step, "data": pack(numbers.astype(np.int32))}


def unpack_feature(packed: dict[str, Any]) -> np.ndarray:
    """The inverse of `pack_feature`, to within half a step: `(n,)` float64."""
    numbers = unpack(packed["data"], np.int32)
    values = packed["low"] + packed["step"] * numbers
    return np.where(numbers == MISSING, np.nan, values)


def pack_times(timestamps: np.ndarray | None) -> dict[str, Any]:
    """Times as runs of even steps, which is what nearly all recorded series are.

    Args:
        timestamps: `(n,)` numbers or datetime64, increasing; None without times.

    Returns:
        `kind` (`"row"`, `"number"`, or `"date"`: milliseconds since 1970) and, but for rows,
        `runs`: first row, its time and the step of each; or, where there are very many, `data`:
        each time's float64 as two packed words.

    Example:
        >>> pack_times(np.array([0.0, 10, 20, 100, 110]))
        {'kind': 'number', 'runs': [[0, 0.0, 10.0], [3, 100.0, 10.0]]}
    """
    if timestamps is None or timestamps.dtype.kind not in "Miuf":
        return {"kind": "row"}
    is_date = timestamps.dtype.kind == "M"
    times = timestamps.astype("datetime64[ns]").astype(np.int64) / 1e6 if is_date else timestamps
    times = np.asarray(times, np.float64)
    if not np.isfinite(times).all():
        return {"kind": "row"}
    runs = _runs(times)
    stored = {"data": pack(times.view(np.int32))} if runs is None else {"runs": runs}
    return {"kind": "date" if is_date else "number", **stored}


def _runs(times: np.ndarray) -> list[list[float]] | None:
    runs, row, steps = [], 0, np.diff(times)
    changes = np.flatnonzero(steps[1:] != steps[:-1]) + 1  # a step that differs from the one before
    while row < len(times):
        if len(runs) == MAX_RUNS:
            return None
        step = float(steps[row]) if row < len(steps) else 0.0
        runs.append([row, float(times[row]), step])
        index = int(np.searchsorted(changes, row, side="right"))
        # The last row of a run begins nothing: the one behind the step that differs does.
        row = int(changes[index]) + 1 if index < len(changes) else len(times)
    return runs
