"""Sampling rates and gaps: what is refused, what a grid of means is, where series end."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from tsad_keras.datasets import list_entities, load_dataset
from tsad_keras.datasets.gaps import gap_starts, split_at_gaps
from tsad_keras.datasets.own import load_own
from tsad_keras.datasets.sampling import (
    check_rates,
    parse_interval,
    resample,
    resample_table,
    sampling_interval,
)
from tsad_keras.datasets.table_chunks import Table
from tsad_keras.datasets.tables import read_labels, read_table
from tsad_keras.errors import InputError


def dates(*pieces):
    """Seconds since 2021 as datetime64[ns]."""
    seconds = np.concatenate([np.atleast_1d(piece) for piece in pieces])
    return np.datetime64("2021-01-01", "ns") + (seconds * 1e9).astype("timedelta64[ns]")


def write(path, times, **columns):
    frame = pd.DataFrame({"time": times, **columns})
    frame.to_csv(path, index=False)
    return path


# --- rates ---------------------------------------------------------------------------------------


def test_even_rows_pass_with_jitter_gaps_and_a_few_odd_ones():
    rng = np.random.default_rng(0)
    jittered = np.arange(200) * 60.0 + rng.uniform(-9, 9, 200)
    for seconds in (jittered, np.r_[jittered, jittered + 90_000], np.delete(jittered, [5, 9, 60])):
        check_rates([("a", dates(seconds)), ("b", np.arange(5.0)), ("c", None)])
    assert sampling_interval(dates(np.arange(20) * 60)) == 60
    assert sampling_interval(np.arange(10.0)) is None  # too few to speak of a rate


def test_mixed_rates_in_one_part_are_refused():
    changing = dates(np.arange(100) * 60, 6000 + np.arange(50) * 300)
    message = r"a has rows of mixed rates: 33% .* about 60 s .* 300 s\).*--resample 300s takes"
    with pytest.raises(InputError, match=message):
        check_rates([("a", changing)])


def test_other_rates_in_another_part_are_refused():
    parts = [("a", dates(np.arange(50) * 300)), ("b", dates(np.arange(50) * 60))]
    with pytest.raises(InputError, match=r"b has a row every 60 s, unlike a .* 300 s.*300s"):
        check_rates(parts)
    with pytest.raises(InputError, match=r"every 2, unlike a with one every 1, .*--resample 2 "):
        check_rates([("a", np.arange(50.0)), ("b", np.arange(50.0) * 2)])
    check_rates([("a", np.arange(50.0)), ("b", dates(np.arange(50) * 60))])  # not comparable


def test_own_files_of_mixed_rates(tmp_path):
    wave = np.sin(np.arange(100))
    train = write(tmp_path / "train.csv", dates(np.arange(100) * 60), x=wave)
    test = write(tmp_path / "test.csv", dates(10_000 + np.arange(100) * 30), x=wave)
    with pytest.raises(InputError, match=r"test\.csv has a row every 30 s, unlike .*train\.csv"):
        load_own(train, test)
    as_they_are = load_own(train, test, resample="none")
    assert (as_they_are.num_train, as_they_are.num_test) == (100, 100)
    labels = write(tmp_path / "test_label.csv", dates(10_000 + np.arange(100) * 30), label=0)
    dataset = load_own(train, test, labels, resample="60s")
    assert (dataset.num_train, dataset.num_test) == (100, 51)
    assert dataset.test_labels.shape == (51,)


# --- resampling ----------------------------------------------------------------------------------


def test_intervals():
    assert (
        parse_interval("90s") == 90 and parse_interval(0.5) == 0.5 and parse_interval(None) is None
    )
    for text in ("0", "-60s", "often", "", "nan", "1e99"):
        with pytest.raises(InputError, match="expected an interval such as 60s"):
            parse_interval(text)


@pytest.fixture
def uneven():
    """Rows 20 to 70 seconds apart, with missing values and a long gap."""
    rng = np.random.default_rng(1)
    seconds = np.cumsum(rng.integers(20, 70, 200)).astype(float)
    seconds[100:] += 5000
    values = rng.normal(size=(200, 2))
    values[rng.random((200, 2)) < 0.3] = np.nan
    labels = (rng.random(200) < 0.1).astype(np.int8)
    return Table(values, ("a", "b"), dates(seconds), labels)


def test_means_over_a_grid_are_those_of_pandas(uneven):
    found = resample_table(uneven, 60.0, "x")
    frame = pd.DataFrame(uneven.values, index=pd.DatetimeIndex(uneven.timestamps))
    expected = frame.resample("60s").mean()
    has_rows = frame.resample("60s").size() > 0
    assert np.array_equal(found.timestamps, expected.index[has_rows].to_numpy("datetime64[ns]"))
    assert np.allclose(found.values, expected[has_rows], equal_nan=True)
    labels = pd.Series(uneven.labels, frame.index).resample("60s").max()[has_rows]
    assert np.array_equal(found.labels, labels)
    assert resample_table(uneven, None, "x") is uneven


@pytest.mark.parametrize("size", [1, 2, 7, 199, 200])
def test_chunks_give_the_bytes_of_the_whole(uneven, size):
    whole = resample_table(uneven, 60.0, "x")
    chunks = [
        dataclasses.replace(
            uneven,
            values=uneven.values[first : first + size],
            timestamps=uneven.timestamps[first : first + size],
            labels=uneven.labels[first : first + size],
        )
        for first in range(0, 200, size)
    ]
    found = list(resample(chunks, 60.0, "x"))
    assert np.concatenate([t.values for t in found]).tobytes() == whole.values.tobytes()
    assert np.array_equal(np.concatenate([t.timestamps for t in found]), whole.timestamps)
    firsts = np.cumsum([1, *(t.num_timesteps for t in found)])[:-1]
    assert [t.first_row for t in found] == firsts.tolist()


def test_numeric_times_and_no_times():
    table = Table(np.array([[1.0], [3.0], [5.0]]), ("a",), np.array([0.0, 1.5, 2.0]))
    found = resample_table(table, 2.0, "x")
    assert found.timestamps.tolist() == [0.0, 2.0] and found.values.tolist() == [[2.0], [5.0]]
    with pytest.raises(InputError, match="x has no time column, expected one to resample by"):
        resample_table(dataclasses.replace(table, timestamps=None), 2.0, "x")


def test_labels_of_resampled_rows(tmp_path):
    path = write(tmp_path / "l.csv", dates(np.arange(6) * 30), label=[0, 0, 0, 1, 0, 0])
    assert read_labels(path, interval=60.0, num_rows=3).tolist() == [0, 1, 0]


# --- gaps ----------------------------------------------------------------------------------------


def test_series_end_at_gaps():
    values = np.arange(6.0)[:, None]
    times = dates(0, 60, 120, 400, 460, 900)
    pieces = split_at_gaps(values, times, 120)
    assert [piece.ravel().tolist() for piece in pieces] == [[0, 1, 2], [3, 4], [5]]
    assert len(split_at_gaps(values, times, None)) == 1
    assert gap_starts(times[3:], 120, times[2]).tolist() == [0, 2]  # the chunk before counts
    with pytest.raises(InputError, match="the rows have no times"):
        split_at_gaps(values, None, 120)


# --- columns, zones, folders ---------------------------------------------------------------------


def test_only_the_columns_that_are_named(tmp_path):
    write(tmp_path / "train.csv", np.arange(20), x=np.arange(20), y=1.0, host=np.arange(20))
    write(tmp_path / "test.csv", np.arange(20, 40), y=2.0, x=np.arange(20))
    with pytest.raises(InputError, match=r"test\.csv lacks host, expected the columns of training"):
        load_dataset("own", None, tmp_path)
    dataset = load_dataset("own", None, tmp_path, columns=["y", "x"])
    assert dataset.feature_names == ("y", "x") and dataset.test[0].tolist() == [2.0, 0.0]
    with pytest.raises(InputError, match=r"train\.csv has no column 'z'.*name one with --columns"):
        load_dataset("own", None, tmp_path, columns=["z"])
    with pytest.raises(InputError, match="'time' is the time, not to be a feature"):
        load_dataset("own", None, tmp_path, columns=["x", "time"], time_column="time")


def test_zones_in_one_file_and_none_in_the_other_are_refused(tmp_path):
    naive = [f"2021-03-{day:02}T00:00" for day in range(1, 21)]
    aware = [f"2021-04-{day:02}T00:00+02:00" for day in range(1, 21)]
    train = write(tmp_path / "train.csv", naive, x=np.arange(20))
    test = write(tmp_path / "test.csv", aware, x=np.arange(20))
    message = r"times of .*test\.csv have a time zone, those of .*train\.csv have none"
    with pytest.raises(InputError, match=message):
        load_own(train, test)


def test_the_hour_that_comes_twice_in_autumn(tmp_path):
    local = ["2021-10-31T02:30", "2021-10-31T02:45", "2021-10-31T02:30"]
    path = write(tmp_path / "a.csv", local, x=[1, 2, 3])
    with pytest.raises(InputError, match="use times with a zone where clocks change"):
        read_table(path)
    offsets = [
        f"{time}{zone}" for time, zone in zip(local, ("+02:00", "+02:00", "+01:00"), strict=True)
    ]
    table = read_table(write(tmp_path / "b.csv", offsets, x=[1, 2, 3]))
    minutes = (np.diff(table.timestamps) / np.timedelta64(1, "m")).tolist()
    assert minutes == [15.0, 45.0]


def test_a_folder_of_plain_files_has_an_entity_each(tmp_path):
    for name in ("web-10", "web-9"):
        write(tmp_path / f"{name}.csv", np.arange(20), x=np.arange(20) % 7)
    (tmp_path / "notes.txt").write_text("no data")
    assert list_entities("own", tmp_path) == ["web-9", "web-10"]
    dataset = load_dataset("own", "web-10", tmp_path)
    assert (dataset.entity, dataset.num_train, dataset.num_test) == ("web-10", 14, 6)
    write(tmp_path / "web-9.csv.gz", np.arange(20), x=np.arange(20))
    with pytest.raises(InputError, match=r"web-9\.csv and web-9\.csv\.gz, expected one"):
        list_entities("own", tmp_path)
    (tmp_path / "test.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="no train.csv"):
        list_entities("own", tmp_path)
