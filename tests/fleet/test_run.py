"""A model for each entity: what is kept, what fails, what the table says."""

import csv

import numpy as np
import pandas as pd
import pytest

from tsad_keras import load_detector
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.fleet.run import entity_folders, train_fleet
from tsad_keras.fleet.worker import answer_to
from tsad_keras.training import Trainer

pytestmark = pytest.mark.filterwarnings("ignore:Even though")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory, make_series):
    """Three servers; nothing can be learnt from the second."""
    folder = tmp_path_factory.mktemp("fleet-data")
    for number in range(3):
        values = make_series(150, seed=number) if number != 1 else np.ones((150, 3))
        place = folder / f"web-{number}"
        place.mkdir()
        frame = pd.DataFrame(values, columns=["a", "b", "c"])
        frame.insert(0, "time", np.arange(150))
        frame.to_csv(place / "train.csv", index=False)
    return folder


@pytest.fixture
def train(data_dir, tmp_path, tiny_config, eagerly):
    """Function: trains in this process; returns the counts and the rows of the table."""

    def run_here(module, tasks, jobs, on_answer):
        for task in tasks:
            on_answer(task, answer_to(task))

    def train(entities=("web-0", "web-1", "web-2"), folder=tmp_path / "models", **settings):
        fields = {**tiny_config, "epochs": 1, "steps_per_epoch": 2, "memory_size": 20, **settings}
        states = train_fleet(
            "own",
            entities,
            config=Config(**fields),
            model_dir=folder,
            data_dir=data_dir,
            runner=run_here,
        )
        with (folder / "fleet.csv").open() as file:
            return states, {row["entity"]: row for row in csv.DictReader(file)}

    return train


@pytest.mark.slow
def test_one_fails_and_the_others_are_finished(train, tmp_path):
    states, rows = train()
    assert states == {"trained": 2, "kept": 0, "failed": 1}
    assert [row["state"] for row in rows.values()] == ["trained", "failed", "trained"]
    assert "are constant in the training rows" in rows["web-1"]["error"]
    assert rows["web-0"]["rows"] == "105" and rows["web-0"]["features"] == "3"
    for name in ("web-0", "web-2"):
        detector = load_detector(tmp_path / "models" / name)
        assert detector.threshold_ == float(rows[name]["threshold"])
        names = {path.name for path in (tmp_path / "models" / name).iterdir()}
        expected = {"config.json", "data.json", "detector.npz", "history.csv", "trained.json"}
        assert names == expected


@pytest.mark.slow
def test_what_is_there_with_the_same_settings_and_data_is_kept(train, tmp_path, monkeypatch):
    train(["web-0", "web-2"])
    path = tmp_path / "models" / "web-0" / "detector.npz"
    before = path.stat().st_mtime_ns
    # A kill between the marker and its end leaves the checkpoint.
    (path.parent / "checkpoint.npz").write_bytes(b"left over")
    states, rows = train(["web-0", "web-2"])
    assert states == {"trained": 0, "kept": 2, "failed": 0}
    assert path.stat().st_mtime_ns == before and rows["web-0"]["threshold"]
    assert not (path.parent / "checkpoint.npz").exists()
    # Other settings, and a model that is not the one of its marker, are trained anew.
    assert train(["web-0"], seed=1)[0]["trained"] == 1
    assert train(["web-0"], seed=1)[0]["kept"] == 1
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    states, rows = train(["web-0"], seed=1)
    assert states["trained"] == 1
    assert rows["web-2"]["state"] == "kept"  # of the run before, which this one leaves alone
    load_detector(path.parent)


@pytest.mark.slow
def test_what_was_begun_goes_on_from_its_checkpoint(train, tmp_path, monkeypatch):
    whole, _ = train(["web-0"], folder=tmp_path / "whole", epochs=4, checkpoint_steps=1)
    assert whole["trained"] == 1
    end_epoch, steps = Trainer._end_epoch, []

    def killed(self, *arguments):
        end_epoch(self, *arguments)
        if self._state.step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_end_epoch", killed)
    with pytest.raises(KeyboardInterrupt):
        train(["web-0"], epochs=4, checkpoint_steps=1)
    monkeypatch.setattr(
        Trainer, "_end_epoch", lambda self, *rest: (steps.append(self), end_epoch(self, *rest))
    )
    states, _ = train(["web-0"], epochs=4, checkpoint_steps=1)
    assert states["trained"] == 1 and 1 <= len(steps) < 4
    models = [load_detector(tmp_path / name / "web-0") for name in ("whole", "models")]
    first, second = (model.networks_.weights() for model in models)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert models[0].threshold_ == models[1].threshold_


def test_a_defect_is_one_failed_entity_too(train, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("of a\ntask")

    monkeypatch.setattr("tsad_keras.fleet.worker._fit", broken)
    states, rows = train(["web-0"])
    assert states["failed"] == 1 and rows["web-0"]["error"] == "ZeroDivisionError: of a task"


def test_names_of_folders():
    assert entity_folders(["../x", "a b", "ü"]) == {"../x": "_x", "a b": "a_b", "ü": "ü"}
    for names, fragment in (
        (["a b", "a_b"], "'a b' and 'a_b' would share the folder 'a_b'"),
        (["Web", "web"], "'Web' and 'web' would share"),
        (["fleet.csv"], "as the table is"),
    ):
        with pytest.raises(InputError, match=fragment):
            entity_folders(names)
