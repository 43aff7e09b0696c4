"""Inputs as NumPy writes them to `.npy` files: for clients whose numbers cost more than the model.

This is no part of TensorFlow Serving's interface. Parsing JSON takes about as long as scoring it
does; four bytes a value take next to nothing.
"""

from __future__ import annotations

import io
import math

import numpy as np

from tsad_keras.serving.answers import bad_request, shorten

MEDIA_TYPE = "application/x-npy"
_TYPES = ("<f4", "<f8")


def from_npy(body: bytes) -> np.ndarray:
    """Reads float32 or float64 in little-endian C order; nothing is believed that is not there.

    Returns:
        The array, float32.

    Raises:
        RequestError: 400 for anything else.
    """
    file = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"format version {version}")
    except Exception as error:  # the header is a Python literal: it may raise nearly anything
        raise bad_request(f"the body is no .npy file ({shorten(error)})") from error
    if dtype.str not in _TYPES or is_fortran:
        order = "Fortran" if is_fortran else "C"
        raise bad_request(
            f"the array is {dtype.str} in {order} order, expected <f4 or <f8 in C order"
        )
    if any(size < 0 for size in shape):
        raise bad_request(f"the array has shape {shorten(shape)}, expected sizes of 0 or more")
    expected, came = math.prod(shape) * dtype.itemsize, len(body) - file.tell()
    if expected != came:
        raise bad_request(f"the array has {came} bytes, expected {expected} for its shape")
    flat = np.frombuffer(body, dtype, offset=file.tell())
    with np.errstate(over="ignore"):
        return flat.reshape(shape).astype(np.float32, copy=False)
