"""results.csv: appended, read back, mended after a kill."""

import pytest

from tsad_keras.benchmark.rows import FIELDS, ResultsFile
from tsad_keras.errors import InputError


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "results.csv"


def test_rows_are_read_back_as_they_were(path, make_row):
    rows = [make_row(post="raw"), make_row(post="two11", peak_memory_mb=None, seed=3)]
    file = ResultsFile(path)
    file.append(rows[:1])
    file.append(rows[1:])
    assert ResultsFile(path).rows == rows == file.rows
    assert path.read_text().splitlines()[0] == ",".join(FIELDS)
    assert FIELDS[-1] == "best_point_adjusted_f1_score"


def test_a_key_is_written_once(path, make_row):
    file = ResultsFile(path)
    file.append([make_row(), make_row(entity="b")])
    file.append([make_row(vus_pr_score=0.9), make_row(entity="c")])
    assert [row["entity"] for row in ResultsFile(path).rows] == ["a", "b", "c"]
    assert ResultsFile(path).rows[0]["vus_pr_score"] == 0.5


@pytest.mark.parametrize("cut", [1, 5, 100])
def test_a_line_that_was_cut_off_is_mended(path, make_row, cut, caplog):
    file = ResultsFile(path)
    file.append([make_row(), make_row(entity="b")])
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    mended = ResultsFile(path)
    assert [row["entity"] for row in mended.rows] == ["a"]
    assert "cut off" in caplog.text
    mended.append([make_row(entity="b")])
    assert path.read_bytes() == whole


def test_a_header_that_was_cut_off_is_mended(path, make_row):
    path.parent.mkdir()
    path.write_text("dataset,entity,met")
    file = ResultsFile(path)
    file.append([make_row()])
    assert ResultsFile(path).rows == [make_row()]


def test_dropped_rows_stay_in_another_file(path, make_row):
    file = ResultsFile(path)
    file.append([make_row(), make_row(entity="b")])
    before = path.read_bytes()
    assert file.drop(lambda row: row["entity"] == "a") == 1
    assert [row["entity"] for row in ResultsFile(path).rows] == ["b"]
    assert path.with_name("results.previous.csv").read_bytes() == before
    assert file.drop(lambda row: False) == 0


def test_another_table_is_refused_and_left_alone(path):
    path.parent.mkdir()
    path.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="other columns"):
        ResultsFile(path)
    assert path.read_text() == "a,b\n1,2\n"


def test_further_columns_stand_in_front_and_may_belong_to_the_key(path, make_row):
    words = {"conditions": {"kind": str, "rate": float, "count": int}, "key": ("kind", "seed")}
    extra = {"kind": "real", "rate": 0.05, "count": 12}
    file = ResultsFile(path, **words)
    file.append([make_row(**extra)])
    file.append([make_row(**extra, vus_pr_score=0.9), make_row(seed=1, **extra)])
    again = ResultsFile(path, **words)
    assert again.rows == [make_row(**extra), make_row(seed=1, **extra)]
    assert again.keys() == {("real", 0), ("real", 1)}
    assert path.read_text().startswith("kind,rate,count,dataset,")
    with pytest.raises(InputError, match="other columns"):
        ResultsFile(path)
