"""The losses by epoch on disk."""

import csv
import sys

import pytest
from tensorflow import make_ndarray

from tsad_keras import ContrastiveGANDetector
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
    with pytest.raises(InputError, match=r"pip install 'tsad-keras\[tensorboard\]'"):
        History(tensorboard_dir=tmp_path / "logs")
    assert list(tmp_path.iterdir()) == []


def scalars(folder):
    """What TensorBoard itself reads: `{name: [(step, value), ...]}`."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    ).EventAccumulator(str(folder), size_guidance={"tensors": 0})
    accumulator.Reload()
    return {
        name: [(event.step, float(make_ndarray(event.tensor_proto))) for event in events]
        for name in accumulator.Tags()["tensors"]
        for events in [accumulator.Tensors(name)]
    }


def test_tensorboard_gets_every_loss_of_every_epoch(tmp_path, tiny_config, make_series):
    pytest.importorskip("tensorboard")
    detector = ContrastiveGANDetector(**{**tiny_config, "epochs": 2})
    detector.fit(make_series(300), verbose=False, tensorboard_dir=tmp_path / "logs")
    names = set(detector.history_[0]) - {"epoch"}
    assert {"reconstruction_loss", "contrastive_loss", "adversarial_loss"} <= names
    assert {"discriminator_loss", "val_reconstruction_loss", "learning_rate"} <= names
    found = scalars(tmp_path / "logs")
    assert set(found) == names
    for name in names:
        expected = [(row["epoch"], row[name]) for row in detector.history_]
        assert found[name] == [(step, pytest.approx(value, rel=1e-6)) for step, value in expected]


def test_a_training_that_goes_on_leaves_one_whole_curve(tmp_path):
    pytest.importorskip("tensorboard")
    rows = [{"epoch": epoch, "reconstruction_loss": 1.0 / epoch} for epoch in (1, 2, 3, 4)]
    first = History(tensorboard_dir=tmp_path / "logs")
    for row in rows[:3]:  # cut off here; the checkpoint is of epoch 2
        first.append(row)
    for folder in ("logs", "new"):
        second = History(tmp_path / "history.csv", tmp_path / folder)
        second.restore(rows[:2])
        for row in rows[2:]:
            second.append(row)
        (curve,) = scalars(tmp_path / folder).values()
        values = [(step, pytest.approx(1 / step, rel=1e-6)) for step in (1, 2, 3, 4)]
        if folder == "logs":  # epoch 3 was trained twice, with the same result
            values.insert(3, values[2])
        assert sorted(curve) == values
        assert len((tmp_path / "history.csv").read_text().splitlines()) == 5
