"""Lines as they come: headers, no headers, JSON, times, and every kind of broken line."""

import json
import random

import numpy as np
import pytest

from tsad_keras.datasets.lines import LineReader
from tsad_keras.errors import InputError

NAMES = ("cpu", "disk")


def read(lines, **settings):
    return LineReader(NAMES, **settings).read(lines)


def test_columns_are_found_by_name_in_any_order_and_others_are_left_out():
    rows = read(["host,disk,label,time,cpu", "a,20,1,7,10", "b,21,0,8,11"])
    assert rows.values.tolist() == [[10, 20], [11, 21]]
    assert rows.times.tolist() == [7, 8]
    assert rows.line_numbers == [2, 3]
    assert rows.problems == []


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_separators_are_found(mark):
    assert read([f"cpu{mark}disk", f"1{mark}2"]).values.tolist() == [[1, 2]]


def test_without_a_header_the_columns_are_those_of_training():
    assert read(["1,2", "3,4"]).values.tolist() == [[1, 2], [3, 4]]
    rows = read(["2024-01-01T00:00,1,2", "2024-01-01T00:01,,4"])
    np.testing.assert_array_equal(rows.values, [[1, 2], [np.nan, 4]])
    assert rows.times.astype("datetime64[m]").astype(str).tolist() == [
        "2024-01-01T00:00",
        "2024-01-01T00:01",
    ]


def test_missing_cells_are_nan():
    rows = read(["cpu,disk", ",2", "NaN,null", " ,NA"])
    assert np.isnan(rows.values[:, 0]).all()
    assert rows.problems == []


def test_quotes_blanks_line_ends_and_a_byte_order_mark():
    rows = read(['\ufeff"cpu", disk \r\n', ' "1" ,2\r\n', "\r\n", "   "])
    assert rows.values.tolist() == [[1, 2]]


def test_zones_become_utc_and_stay_dates():
    rows = read(["time,cpu,disk", "2024-01-01T02:00:00+02:00,1,2", "2024-01-01 01:00:00Z,1,2"])
    assert (np.diff(rows.times) == np.timedelta64(1, "h")).all()
    assert rows.times.dtype == "datetime64[ns]"


def test_json_objects_arrays_and_nulls():
    lines = ['{"t": 1, "disk": 2, "cpu": 1, "more": "x"}', '{"cpu": null, "disk": true, "t": 2}']
    rows = read(lines, time_column="t")
    np.testing.assert_array_equal(rows.values, [[1, 2], [np.nan, 1]])
    assert rows.times.tolist() == [1, 2]
    assert read(["[1, 2]", "[null, 4]"]).values[1, 1] == 4
    assert read(['{"timestamp": "2024-01-01", "cpu": 1, "disk": 2}']).times is not None


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (["cpu,disk", "1"], "1 cells, expected 2"),
        (["cpu,disk", "1,2,3"], "3 cells, expected 2"),
        (["cpu,disk", "1,two"], "holds 'two'"),
        (["cpu,disk", "1,inf"], "infinite"),
        (["cpu,disk", "1,1e999"], "infinite"),
        (["time,cpu,disk", "noon,1,2"], "the time is 'noon'"),
        (["time,cpu,disk", ",1,2"], "the time is ''"),
        (["time,cpu,disk", "nan,1,2"], "the time is 'nan'"),
        (['{"cpu": 1, "disk": 2'], "no JSON"),
        (['{"cpu": 1}'], "no disk; null"),
        (['{"cpu": "1", "disk": 2}'], "expected a number or null"),
        (['{"cpu": [1], "disk": 2}'], "expected a number or null"),
        (['{"cpu": 1e999, "disk": 2}'], "infinite"),
        ([f'{{"cpu": 1{"0" * 400}, "disk": 2}}'], "beyond any float"),
        (["[1, 2, 3]"], "3 values, expected 2"),
        (["[" * 100_000], "no JSON"),
        (['{"time": true, "cpu": 1, "disk": 2}'], "the time is 'True'"),
    ],
)
def test_a_broken_line_gives_no_row_but_a_sentence(lines, problem):
    rows = read(lines)
    assert len(rows.values) == 0
    assert len(rows.problems) == 1
    assert rows.problems[0].startswith(f"line {len(lines)}: ")
    assert problem in rows.problems[0]
    assert "\n" not in rows.problems[0]


@pytest.mark.parametrize(
    "first", [["time,cpu,disk", "5,1,2"], ['{"time": 5, "cpu": 1, "disk": 2}']]
)
def test_reading_goes_on_behind_a_broken_line(first):
    reader = LineReader(NAMES)
    good = first[-1]
    rows = reader.read([*first, "}{", good])
    again = reader.read(["", good])
    assert rows.values.tolist() == [[1, 2], [1, 2]]
    assert again.values.tolist() == [[1, 2]]
    assert again.line_numbers == [len(first) + 4]
    assert len(rows.problems) == 1


def test_the_first_row_decides_the_kind_of_time():
    rows = read(["time,cpu,disk", "5,1,2", "2024-01-01,1,2", "6,1,2"])
    assert rows.times.tolist() == [5, 6]
    assert "expected a number" in rows.problems[0]
    rows = read(['{"cpu": 1, "disk": 2}', '{"time": 1, "cpu": 1, "disk": 2}'])
    assert len(rows.values) == 1
    assert "where others have none" in rows.problems[0]


@pytest.mark.parametrize(
    ("lines", "settings", "message"),
    [
        (["cpu,memory", "1,2"], {}, "lacks disk"),
        (["cpu,disk"], {"time_column": "when"}, "no column 'when'"),
        (["1,2"], {"time_column": "when"}, "holds numbers"),
    ],
)
def test_a_header_of_other_data_ends_it(lines, settings, message):
    with pytest.raises(InputError, match=message):
        read(lines, **settings)


def test_an_unknown_format_is_refused():
    with pytest.raises(InputError, match="expected auto, csv or jsonl"):
        read([], line_format="xml")


@pytest.mark.parametrize("seed", range(300))
def test_no_line_raises_anything_else(seed):
    """Mutated lines give rows or problems, never an exception, and every line one at most."""
    generator = random.Random(seed)
    good = [json.dumps({"time": i, "cpu": i, "disk": 2.5}) for i in range(5)]
    if seed % 2:
        good = ["time,cpu,disk", *(f"{i},{i},2.5" for i in range(5))]
    lines = list(good)
    for _ in range(6):
        index = generator.randrange(1, len(lines))
        text = lines[index]
        place = generator.randrange(len(text) + 1)
        piece = generator.choice(
            ['"', "{", "}", ",", "\x00", "NaN", "-", "1e5", "é", "'", "\\", ""]
        )
        lines[index] = text[:place] + piece + text[place + generator.randrange(3) :]
    rows = read(lines)
    assert len(rows.values) + len(rows.problems) <= len(lines)
    assert not np.isinf(rows.values).any()
