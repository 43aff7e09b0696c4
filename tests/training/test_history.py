"""The losses by epoch on disk."""

import csv
import sys

import pytest

from tsad_keras.errors import InputError
from tsad_keras.training import History


def test_csv_is_whole_after_every_row(tmp_path):
    path = tmp_path / "run" / "history.csv"
    history = History(path)
    for epoch in (1, 2):
        history.append({"epoch": epoch, "reconstruction_loss": 1 / epoch})
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == list(range(1, epoch + 1))
        assert float(rows[-1]["reconstruction_loss"]) == 1 / epoch
    assert history.rows == [
        {"epoch": 1, "reconstruction_loss": 1.0},
        {"epoch": 2, "reconstruction_loss": 0.5},
    ]


def test_without_a_path_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    History().append({"epoch": 1})
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_that_is_not_installed_is_an_input_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match="pip install tensorboard"):
        History(tensorboard_dir=tmp_path / "logs")
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_gets_an_event_file(tmp_path):
    pytest.importorskip("tensorboard")
    History(tensorboard_dir=tmp_path / "logs").append({"epoch": 1, "reconstruction_loss": 0.5})
    files = list((tmp_path / "logs").iterdir())
    assert len(files) == 1
    assert b"reconstruction_loss" in files[0].read_bytes()
