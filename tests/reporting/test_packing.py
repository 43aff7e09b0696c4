"""Arrays that a page carries come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from tsad_keras.reporting.packing import (
    LEVELS,
    MAX_RUNS,
    pack,
    pack_feature,
    pack_times,
    unpack,
    unpack_feature,
)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
@pytest.mark.parametrize("count", [0, 1, 1000])
def test_four_byte_numbers_come_back_exactly(dtype, count):
    values = np.random.default_rng(0).normal(0, 1e6, count).astype(dtype)
    assert unpack(pack(values), dtype).tolist() == values.tolist()


def test_other_numbers_are_refused():
    with pytest.raises(ValueError, match="float64, expected float32 or int32"):
        pack(np.zeros(3))


def test_big_endian_and_strided_arrays_are_no_obstacle():
    values = np.arange(10, dtype=">f4")[::2]
    assert unpack(pack(values), np.float32).tolist() == [0, 2, 4, 6, 8]


def test_a_wild_value_costs_the_others_no_precision():
    values = np.random.default_rng(0).uniform(0, 1, 10_000)
    values[5] = 1e4
    found = unpack_feature(pack_feature(values))
    assert np.abs(found - values).max() <= 0.51 / LEVELS


@pytest.mark.parametrize(
    "values",
    [
        [np.nan, np.nan],
        [3.5, 3.5, np.nan],
        [1e300, -1e300, 0.0],
        [0.0] * 5000 + [1e9] + [np.nan],
        [1e-300, 0.0],
    ],
)
def test_odd_features_come_back_nearly(values):
    values = np.array(values)
    found = unpack_feature(pack_feature(values))
    assert np.isnan(found).tolist() == np.isnan(values).tolist()
    known = values[~np.isnan(values)]
    spread = float(np.ptp(known)) if known.size else 0
    assert np.allclose(found[~np.isnan(values)], known, atol=spread / LEVELS, rtol=1e-9)


def test_even_times_and_gaps_are_a_few_numbers():
    times = np.arange("2024-01-01", "2024-01-03", np.timedelta64(1, "h"), "datetime64[h]")
    times = np.delete(times.astype("datetime64[ns]"), [20, 21])
    packed = pack_times(times)
    assert packed["kind"] == "date"
    hour = 3_600_000
    start = 1_704_067_200_000
    assert packed["runs"] == [[0, start, hour], [20, start + 22 * hour, hour]]


def test_uneven_times_are_stored_one_by_one():
    times = np.cumsum(np.random.default_rng(0).uniform(1, 2, 3 * MAX_RUNS))
    packed = pack_times(times)
    assert packed["kind"] == "number" and "runs" not in packed
    assert unpack(packed["data"], np.int32).view(np.float64).tolist() == times.tolist()


@pytest.mark.parametrize("times", [None, np.array(["a", "b"], object), np.array([0.0, np.nan])])
def test_what_is_no_time_counts_rows(times):
    assert pack_times(times) == {"kind": "row"}


def test_one_row_has_a_time():
    assert pack_times(np.array([7.0])) == {"kind": "number", "runs": [[0, 7.0, 0.0]]}
