"""Arrays that TensorFlow can read where they lie, so that a long series is in memory once."""

from __future__ import annotations

import math

import numpy as np

_BYTES = 64  # what TensorFlow's kernels ask of a tensor's first byte


def aligned_empty(shape: tuple[int, ...]) -> np.ndarray:
    """A float32 array without values whose memory a tensor may share.

    Args:
        shape: Of the array.

    Example:
        >>> values = aligned_empty((3, 2))
        >>> values.shape, is_aligned(values), is_aligned(values[1:])
        ((3, 2), True, False)
    """
    size = math.prod(shape)
    spare = np.empty(size + _BYTES // 4, np.float32)
    first = -spare.ctypes.data % _BYTES // 4
    return spare[first : first + size].reshape(shape)


def is_aligned(values: np.ndarray) -> bool:
    """Whether a tensor may share the memory of an array: float32, in one piece, well placed."""
    return (
        values.dtype == np.float32
        and values.size > 0
        and values.flags.c_contiguous
        and values.flags.writeable  # else NumPy does not hand it out
        and values.ctypes.data % _BYTES == 0
    )
