"""Late and doubled times, gaps, kinds of times."""

import datetime

import numpy as np
import pandas as pd
import pytest

from tsad_keras.errors import InputError
from tsad_keras.streaming.clock import StreamClock, as_times


def test_rows_are_taken_if_later_than_all_before():
    clock = StreamClock()
    taken, begins = clock.take(np.array([1.0, 2.0, 2.0, 1.5, 4.0, 3.0, 5.0]))
    assert taken.tolist() == [True, True, False, False, True, False, True]
    assert not begins.any()
    assert (clock.num_duplicates, clock.num_late, clock.num_gaps) == (1, 2, 0)
    taken, _ = clock.take(np.array([5.0, 4.0, 6.0]))
    assert taken.tolist() == [False, False, True]
    assert (clock.num_duplicates, clock.num_late) == (2, 3)


def test_a_gap_begins_the_series_anew_also_between_two_calls():
    clock = StreamClock(max_gap=1.5)
    _, begins = clock.take(np.array([0.0, 1.0, 3.0, 4.0]))
    assert begins.tolist() == [False, False, True, False]
    _, begins = clock.take(np.array([5.0, 5.0, 7.0]))
    assert begins.tolist() == [False, True]
    assert clock.num_gaps == 2


def test_the_gap_is_measured_from_the_latest_row_taken():
    _, begins = StreamClock(max_gap=2.5).take(np.array([0.0, 4.0, 2.0, 6.0]))
    assert begins.tolist() == [False, True, False]


def test_gaps_between_dates_are_in_seconds():
    dates = np.array(["2024-01-01T00:00", "2024-01-01T00:01", "2024-01-01T00:03"], "datetime64[ns]")
    assert StreamClock(max_gap=60).take(dates)[1].tolist() == [False, False, True]
    assert StreamClock(max_gap=120).take(dates)[1].tolist() == [False, False, False]


def test_numbers_after_dates_are_refused():
    clock = StreamClock()
    clock.take(np.array(["2024-01-01"], "datetime64[ns]"))
    with pytest.raises(InputError, match="one kind"):
        clock.take(np.array([1.0]))


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01T01:00:00+01:00", "2024-01-01T00:00:01Z"],
        pd.to_datetime(["2024-01-01T00:00:00", "2024-01-01T00:00:01"]),
        np.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01"], "datetime64[s]"),
        [datetime.datetime(2024, 1, 1), datetime.datetime(2024, 1, 1, 0, 0, 1)],
    ],
)
def test_dates_of_every_kind_become_utc(times):
    expected = np.array(["2024-01-01T00:00:00", "2024-01-01T00:00:01"], "datetime64[ns]")
    assert as_times(times, 2).tolist() == expected.tolist()


def test_numbers_become_floats():
    assert as_times([1, 2], 2).tolist() == [1.0, 2.0]
    assert as_times(7, 1).tolist() == [7.0]


@pytest.mark.parametrize(
    ("times", "num_rows", "message"),
    [
        ([1.0], 2, "one for each row"),
        ([1.0, np.nan], 2, "missing"),
        (["2024-01-01", None], 2, "missing"),
        (["noon"], 1, "no times"),
        ([np.inf], 1, "missing or infinite"),
    ],
)
def test_what_is_no_time_is_refused(times, num_rows, message):
    with pytest.raises(InputError, match=message):
        as_times(times, num_rows)


def test_max_gap_must_be_positive():
    with pytest.raises(InputError, match="max_gap"):
        StreamClock(max_gap=0)
