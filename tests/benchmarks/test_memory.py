"""The memory script measures processes of their own, on files of the size that it says."""

import json

import numpy as np
import pyarrow.parquet
import pytest


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("memory")


def test_the_file_has_the_rows_in_groups(script, tmp_path):
    path = tmp_path / "rows.parquet"
    script.write_parquet(path, script.ROW_GROUP + 7, 2)
    with pyarrow.parquet.ParquetFile(path) as file:
        assert file.metadata.num_rows == script.ROW_GROUP + 7
        assert file.metadata.num_row_groups == 2
        table = file.read()
    assert table.column_names == ["f0", "f1"]
    values = table["f1"].to_numpy()
    assert values.dtype == np.float32
    assert values.std() == pytest.approx(1, abs=0.05)


def test_windows_are_counted_as_training_draws_them(script):
    assert script.num_windows(1000, 1) == 900 - 100 + 1
    assert script.num_windows(1000, 100) == 9


def test_multiples_of_the_series_above_the_base(script, capsys, monkeypatch):
    def process(code, threads=None):
        rows = 1000 if "(1000, 25)" in code else 100_000
        return "", 800 + (0 if rows == 1000 else 3 * rows * 25 * 8 / 2**20), 1.0

    monkeypatch.setattr(script, "fresh_process", process)
    assert script.main(["--train-rows", "100000", "--score-rows"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["score"] == []
    assert [row["stride"] for row in result["training"]] == [1, 100]
    for row in result["training"]:
        assert row["times_the_series"] == pytest.approx(3)
        assert row["base_mb"] == 800


@pytest.mark.slow
def test_scores_a_file_in_a_process_of_its_own(script, tmp_path):
    (row,) = script.scoring([600], 2, str(tmp_path))
    assert row["rows"] == 600
    assert row["peak_mb"] > 100
    assert row["rows_per_cpu_second"] > 0
    assert list(tmp_path.iterdir()) == []
