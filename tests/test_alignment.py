import numpy as np
import pytest

from tsad_keras.alignment import aligned_empty, is_aligned


@pytest.mark.parametrize("shape", [(7,), (5, 3), (1000, 25), (4, 100, 38)])
def test_an_array_begins_where_a_tensor_may(shape):
    values = aligned_empty(shape)

    assert (values.shape, values.dtype) == (shape, np.float32)
    assert values.ctypes.data % 64 == 0
    assert is_aligned(values)


def test_an_array_keeps_what_is_written():
    values = aligned_empty((50, 4))
    values[:] = np.arange(200).reshape(50, 4)

    assert np.array_equal(values.ravel(), np.arange(200))


def _frozen(values):
    values.flags.writeable = False
    return values


@pytest.mark.parametrize(
    "values",
    [
        aligned_empty((8, 4))[1:],  # 16 bytes in
        aligned_empty((8, 4))[:, :2],
        aligned_empty((8, 4)).T,
        aligned_empty((0, 4)),
        _frozen(aligned_empty((8, 4))),
        np.zeros((8, 4)),
    ],
    ids=["moved", "columns", "transposed", "empty", "read-only", "float64"],
)
def test_no_other_array_is_shared(values):
    assert not is_aligned(values)
