"""A person's own tables: every form read alike, chunks equal to the whole."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from tsad_keras.datasets.tables import (
    as_table,
    iterate_table,
    read_labels,
    read_table,
    table_from_frame,
)
from tsad_keras.errors import InputError


def make_frame(num_rows: int = 57, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "timestamp": pd.date_range("2021-01-31", periods=num_rows, freq="5min"),
            "load": random.normal(size=num_rows) * 10.0 ** random.integers(-9, 9, num_rows),
            "count": random.integers(0, 100, num_rows),
            "up": random.random(num_rows) < 0.5,
            "late": random.random(num_rows),
            "label": (random.random(num_rows) < 0.2).astype(int),
        }
    )
    frame.loc[frame.index[:40], "late"] = np.nan  # empty in whole chunks
    return frame


def write(frame: pd.DataFrame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path, row_group_size=13)
    else:
        frame.to_csv(path, index=False)
    return path


def assert_same(left, right):
    assert left.feature_names == right.feature_names
    np.testing.assert_array_equal(left.values, right.values)
    for field in ("timestamps", "labels"):
        came, expected = getattr(left, field), getattr(right, field)
        assert (came is None) == (expected is None)
        if came is not None:
            assert came.dtype == expected.dtype
            np.testing.assert_array_equal(came, expected)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "A.CSV"])
def test_all_forms_give_the_frame(name, tmp_path):
    frame = make_frame()
    table = read_table(write(frame, tmp_path / name))
    assert table.feature_names == ("load", "count", "up", "late")
    assert table.time_column == "timestamp"
    assert table.values.dtype == np.float64
    expected = frame[["load", "count", "up", "late"]].to_numpy(np.float64)
    np.testing.assert_array_equal(table.values, expected)
    np.testing.assert_array_equal(table.timestamps, frame["timestamp"].to_numpy("datetime64[ns]"))
    np.testing.assert_array_equal(table.labels, frame["label"])
    assert_same(table, table_from_frame(frame))
    assert_same(table, as_table(frame.set_index("timestamp")))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet"])
@pytest.mark.parametrize("chunk_size", [1, 2, 7, 13, 56, 57, 58, 10_000])
def test_chunks_equal_the_whole(name, chunk_size, tmp_path):
    path = write(make_frame(), tmp_path / name)
    whole = read_table(path)
    chunks = list(iterate_table(path, chunk_size=chunk_size))
    assert [chunk.num_timesteps for chunk in chunks[:-1]] == [chunk_size] * (len(chunks) - 1)
    assert [chunk.first_row for chunk in chunks] == list(range(1, 58, chunk_size))
    np.testing.assert_array_equal(np.concatenate([chunk.values for chunk in chunks]), whole.values)
    for field in ("timestamps", "labels"):
        joined = np.concatenate([getattr(chunk, field) for chunk in chunks])
        assert joined.dtype == getattr(whole, field).dtype
        np.testing.assert_array_equal(joined, getattr(whole, field))


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
@pytest.mark.parametrize("chunk_size", [1, 5, 30, 1000])
@pytest.mark.parametrize("row", [2, 30, 31, 57])
@pytest.mark.parametrize("fault", ["text", "infinite", "same time", "earlier time", "label"])
def test_chunks_give_the_message_of_the_whole(name, chunk_size, row, fault, tmp_path):
    frame = make_frame()
    at = row - 1
    if fault == "text":
        frame["count"] = frame["count"].astype(str)
        frame.loc[at, "count"] = "broken"
    elif fault == "infinite":
        frame.loc[at, "load"] = -np.inf
    elif fault == "label":
        frame.loc[at, "label"] = 2
    else:
        frame.loc[at, "timestamp"] = frame["timestamp"][at - 1] - pd.Timedelta(
            "0s" if fault == "same time" else "1s"
        )
    path = write(frame, tmp_path / name)
    with pytest.raises(InputError) as whole:
        read_table(path)
    with pytest.raises(InputError) as chunked:
        list(iterate_table(path, chunk_size=chunk_size))
    assert str(whole.value) == str(chunked.value)
    assert f"data row {row}" in str(whole.value)
    column = {"text": "count", "infinite": "load", "label": "label"}.get(fault, "timestamp")
    assert repr(column) in str(whole.value)


def test_numbers_however_spelled_and_however_chunked(tmp_path):
    cells = [
        "0.1",
        " 2 ",
        "+3",
        "1e-3",
        "True",
        "false",
        "",
        "NA",
        "nan",
        "-.5",
        "12345678.123456789",
    ]
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))
    expected = [0.1, 2, 3, 0.001, 1, 0, np.nan, np.nan, np.nan, -0.5, 12345678.123456789]
    for size in (1, 4, 100):
        chunks = list(iterate_table(path, chunk_size=size))
        np.testing.assert_array_equal(np.concatenate([c.values[:, 0] for c in chunks]), expected)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a;b\n1.5;2\n3;4\n", [[1.5, 2], [3, 4]]),
        ("a;b\n1,5;2\n3;4\n", [[1.5, 2], [3, 4]]),
        ("a\tb\r\n1,5\t2\r\n", [[1.5, 2]]),
        ("a|b\n1|2", [[1, 2]]),
        ("\ufeffa,b\n1,2\n\n3,4\n\n", [[1, 2], [3, 4]]),
        ('"a, b",c\n"1",2\n', [[1, 2]]),
        ("a\n1\n\n3\n", [[1], [np.nan], [3]]),
        ("0,1\n5,6\n", [[5, 6]]),
    ],
)
def test_dialects(text, rows, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(text, encoding="utf-8", newline="")
    np.testing.assert_array_equal(read_table(path).values, rows)


def test_decimal_comma_refuses_what_could_be_a_thousands_separator(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a;b\n1,5;2\n1.500;4\n")
    with pytest.raises(InputError, match=r"column 'a' holds the text '1\.500' at data row 2"):
        read_table(path)


@pytest.mark.parametrize(
    ("header", "column"),
    [
        ("Timestamp", "Timestamp"),
        ("timestamp_(min)", "timestamp_(min)"),
        ("", ""),
        ("when", "when"),
    ],
)
def test_time_column_by_name_place_or_content(header, column, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{header},cpu\n2021-01-01 00:00:00,1\n2021-01-01 00:00:01,2\n")
    table = read_table(path)
    assert table.time_column == column
    assert table.feature_names == ("cpu",)
    assert table.timestamps[1] == np.datetime64("2021-01-01T00:00:01")


def test_time_column_named(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("minute,cpu\n5,1\n6.5,2\n")
    assert read_table(path).feature_names == ("minute", "cpu")
    table = read_table(path, time_column="minute")
    assert table.timestamps.tolist() == [5, 6.5]
    with pytest.raises(
        InputError, match="no column 'hour'.* minute, cpu; name one with --time-column"
    ):
        read_table(path, time_column="hour")


def test_index_column_beside_a_time_column_is_left_out(tmp_path):
    path = tmp_path / "a.csv"
    make_frame().to_csv(path)
    assert read_table(path).feature_names == ("load", "count", "up", "late")


def test_parquet_index_is_the_time(tmp_path):
    frame = make_frame().set_index("timestamp")
    for name in ("timestamp", None):
        frame.index.name = name
        frame.to_parquet(tmp_path / "a.parquet")
        table = read_table(tmp_path / "a.parquet")
        assert table.feature_names == ("load", "count", "up", "late")
        assert table.timestamps[0] == np.datetime64("2021-01-31")


def test_zones_become_utc(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,cpu\n2021-10-31T02:30:00+02:00,1\n2021-10-31T02:30:00+01:00,2\n")
    times = read_table(path).timestamps
    assert times.tolist() == np.array(["2021-10-31T00:30", "2021-10-31T01:30"], "M8[ns]").tolist()
    frame = pd.DataFrame(
        {"cpu": [1, 2]}, index=pd.date_range("2021-01-01", periods=2, tz="Asia/Tokyo")
    )
    assert table_from_frame(frame).timestamps[0] == np.datetime64("2020-12-31T15:00")
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").timestamps[0] == np.datetime64("2020-12-31T15:00")


def test_zones_and_no_zones_do_not_mix(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,cpu\n2021-01-01T00:00Z,1\n2021-01-01T01:00,2\n")
    with pytest.raises(InputError, match=r"'2021-01-01T01:00' at data row 2.*with a time zone"):
        read_table(path)
    path.write_text("time,cpu\n2021-01-01T00:00,1\n2021-01-01T01:00+01:00,2\n")
    with pytest.raises(InputError, match="at data row 2.*without a time zone"):
        read_table(path)


def test_label_column_is_never_a_feature(tmp_path):
    frame = make_frame()
    for name in ("label", "Labels", "is_anomaly", "anomaly"):
        table = table_from_frame(frame.rename(columns={"label": name}))
        assert name not in table.feature_names
        np.testing.assert_array_equal(table.labels, frame["label"])
    table = table_from_frame(frame, label_column="up")
    np.testing.assert_array_equal(table.labels, frame["up"])
    assert table.feature_names == ("load", "count", "late")
    with pytest.raises(InputError, match="columns label, anomaly could all be the label"):
        table_from_frame(frame.assign(anomaly=0))


def test_features_of_training_must_match(tmp_path):
    frame = make_frame().drop(columns="label")
    names = ("load", "count", "up", "late")
    assert table_from_frame(frame, feature_names=names).feature_names == names
    with pytest.raises(
        InputError, match="lacks count, expected the columns of training: load, count"
    ):
        table_from_frame(frame.drop(columns="count"), feature_names=names)
    with pytest.raises(InputError, match="has extra, expected the columns of training"):
        table_from_frame(frame.assign(extra=1), feature_names=names)
    with pytest.raises(
        InputError, match="another order .feature 1 is 'count', expected 'load'.; reorder"
    ):
        table_from_frame(frame[["count", "load", "up", "late"]], feature_names=names)
    with pytest.raises(InputError, match="has 3 columns, expected the 4 of training"):
        as_table(np.zeros((5, 3)), feature_names=names)


BAD_FILES = {
    "empty": ("a.csv", b"", "is empty"),
    "blank": ("a.csv", b"\n\n \n", "is empty"),
    "header only": ("a.csv", b"a,b\n", "has a header but no rows"),
    "header without line end": ("a.csv", b"a,b", "has a header but no rows"),
    "no header": ("a.csv", b"0.5,1.5\n2,3\n", r"has no header.*0\.5, 1\.5"),
    "no numeric column": (
        "a.csv",
        b"time,host\n1,x\n2,y\n",
        r"no numeric column \(columns: time, host",
    ),
    "only time": ("a.csv", b"time\n1\n2\n", "no numeric column"),
    "text": ("a.csv", b"a,b\n1,2\n3,oops\n", "column 'b' holds the text 'oops' at data row 2"),
    "infinite": (
        "a.csv",
        b"a,b\n1,2\n3,-inf\n",
        "column 'b' holds an infinite value at data row 2",
    ),
    "too large": ("a.csv", b"a,b\n1,1e999\n", "column 'b' holds an infinite value at data row 1"),
    "double name": ("a.csv", b"a,b,a\n1,2,3\n", r"name 'a' occurs twice \(columns 1 and 3\)"),
    "no name": ("a.csv", b"a,,b\n1,2,3\n", "column 2 has no name"),
    "long row": ("a.csv", b"a,b\n1,2\n3,4,5\n", "line 3 has 3 cells, expected 2"),
    "short row": ("a.csv", b"a,b,c\n1,2,3\n3,4\n", "line 3 has 2 cells, expected 3"),
    "same time": ("a.csv", b"time,a\n1,2\n1,3\n", "holds 1 at data row 2, the same time as"),
    "unsorted": ("a.csv", b"time,a\n2,2\n1.5,3\n", r"holds 1\.5 at data row 2, an earlier time"),
    "no time": ("a.csv", b"time,a\n1,2\n,3\n", "time column 'time' holds nothing at data row 2"),
    "bad date": ("a.csv", b"time,a\n2021-01-01,2\n31.1.2021,3\n", r"'31\.1\.2021' at data row 2"),
    "no ISO date": ("a.csv", b"date,a\n31.1.2021,2\n", r"'31\.1\.2021' at data row 1.*ISO 8601"),
    "text time": ("a.csv", b"time,a\n1,2\nx,3\n", "'time' holds the text 'x' at data row 2"),
    "no date": ("a.csv", b"time,a\n2021-01-01,2\n,3\n", "'time' holds nothing at data row 2"),
    "two times": ("a.csv", b"date,time,a\n1,2,3\n", "date, time could all be the time"),
    "gap in labels": ("a.csv", b"a,label\n1,0\n2,\n", "'label' holds no label at data row 2"),
    "binary": ("a.csv", bytes(range(256)), "not a text file"),
    "latin": ("a.csv", "größe,b\n1,2\n".encode("latin-1"), "not UTF-8"),
    "latin later": ("a.csv", b"a,b\n1,2\n\xe4,3\n", "not UTF-8"),
    "utf-16": ("a.csv", "a,b\n1,2\n".encode("utf-16"), "not a text file"),
    "no gzip": ("a.csv.gz", b"a,b\n1,2\n", "cannot read .* as CSV"),
    "cut gzip": (
        "a.csv.gz",
        gzip.compress(b"a,b\n" + b"1,2\n" * 999)[:-9],
        "cannot read .* as CSV",
    ),
    "no parquet": ("a.parquet", b"a,b\n1,2\n", "cannot read .* as Parquet"),
    "extension": (
        "a.xlsx",
        b"a,b\n1,2\n",
        r"unknown extension, expected one of \.csv, \.csv\.gz, ",
    ),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(case, tmp_path):
    name, content, message = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as error:
        read_table(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_bad_paths(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"missing\.csv not found"):
        read_table(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="is a folder, expected a file"):
        read_table(tmp_path)
    path = write(make_frame(), tmp_path / "a.csv")

    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tsad_keras.datasets.table_files._open_bytes", refuse)
    with pytest.raises(InputError, match=r"cannot read .*a\.csv as CSV \(Permission denied\)"):
        read_table(path)


def test_bad_arguments(tmp_path):
    path = write(make_frame(), tmp_path / "a.csv")
    with pytest.raises(InputError, match="chunk_size is 0"):
        iterate_table(path, chunk_size=0)  # at the call, not at the first chunk
    with pytest.raises(InputError, match="not found"):
        iterate_table(tmp_path / "b.csv", chunk_size=1)
    with pytest.raises(InputError, match="decimal is ':'"):
        read_table(path, decimal=":")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros(3), r"shape \(3,\).*reshape"),
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((0, 3)), r"shape \(0, 3\)"),
        ([["a", "b"]], "no array of numbers"),
        (np.array([[1j]]), "no array of numbers"),
        (np.array([[0, np.inf]]), "'feature_1' holds an infinite value at data row 1"),
        (pd.DataFrame({"a": []}), r"shape \(0, 1\)"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' occurs twice"),
        (pd.DataFrame({"a": [1, 2], "b": [1, "x"]}), "column 'b' holds the text 'x' at data row 2"),
        (pd.DataFrame({"a": [1.0], "b": [[1, 2]]}), "column 'b' holds list"),
    ],
)
def test_as_table_refuses(data, message):
    with pytest.raises(InputError, match=message):
        as_table(data)


def test_as_table_takes():
    np.testing.assert_array_equal(as_table([[1, 2], [3, None]]).values, [[1, 2], [3, np.nan]])
    assert as_table(np.ones((2, 1), bool)).values.tolist() == [[1], [1]]
    assert as_table(pd.Series([1, 2], name="cpu")).feature_names == ("cpu",)
    assert as_table(pd.DataFrame(np.ones((2, 2)))).feature_names == ("0", "1")
    table = as_table(np.ones((2, 2)))
    assert as_table(table) is table
    with pytest.raises(InputError, match="lacks a"):
        as_table(table, feature_names=("a", "feature_1"))
    mixed = pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.Categorical([3, 4])})
    np.testing.assert_array_equal(as_table(mixed).values, [[1, 3], [np.nan, 4]])


def test_read_labels(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("timestamp,whatever\n1,0\n2,1\n")
    assert read_labels(path, num_rows=2, timestamps=np.array([1.0, 2.0])).tolist() == [0, 1]
    with pytest.raises(InputError, match="holds 2 labels, expected 3"):
        read_labels(path, num_rows=3)
    with pytest.raises(InputError, match="holds 2 labels, expected 3"):
        read_labels(path, timestamps=np.arange(3))
    with pytest.raises(InputError, match="data row 2 is for time 2, expected 3"):
        read_labels(path, timestamps=np.array([1.0, 3.0]))
    with pytest.raises(InputError, match="times are numbers, those of the data are dates"):
        read_labels(path, timestamps=np.array(["2021-01-01", "2021-01-02"], "M8[ns]"))
    path.write_text("a,b\n1,0\n2,1\n")
    with pytest.raises(InputError, match="no column known to be the label among a, b"):
        read_labels(path)
    assert read_labels(path, label_column="b").tolist() == [0, 1]
    with pytest.raises(InputError, match="label column 'a' holds 2 at data row 2"):
        read_labels(path, label_column="a")
    path.write_text("host,cpu,label\nx,1,0\ny,2,1\n")  # columns of no concern may hold text
    assert read_labels(path).tolist() == [0, 1]


def test_memory_stays_flat(tmp_path):
    import tracemalloc

    path = tmp_path / "a.csv"
    with path.open("w") as file:
        file.write(",".join(f"c{i}" for i in range(10)) + "\n")
        row = ",".join(["0.123456"] * 10) + "\n"
        for _ in range(60):
            file.write(row * 1000)
    whole = 60_000 * 10 * 8
    peaks = []
    for _ in range(3):  # what threads of other tests allocate meanwhile is counted, too
        chunks = iterate_table(path, chunk_size=500)
        next(chunks)
        tracemalloc.start()
        count = 500 + sum(chunk.num_timesteps for chunk in chunks)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 60_000
    assert min(peaks) < whole / 4


@pytest.mark.parametrize("row_group_size", [10_000, 200_000])
def test_parquet_is_read_with_flat_memory(tmp_path, row_group_size):
    """Arrow's own buffers are counted: one that keeps what was read would hold the whole file."""
    import pyarrow

    values = np.random.default_rng(0).normal(size=(200_000, 4))
    frame = pd.DataFrame(values, columns=list("abcd"))
    frame.to_parquet(tmp_path / "a.parquet", row_group_size=row_group_size, use_dictionary=False)
    del frame
    before = pyarrow.total_allocated_bytes()
    held = [
        pyarrow.total_allocated_bytes() - before
        for _ in iterate_table(tmp_path / "a.parquet", chunk_size=5000)
    ]
    assert len(held) == 40
    assert max(held) < values.nbytes / 2, max(held)
