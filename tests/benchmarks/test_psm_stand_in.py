"""The stand-in must be read as PSM, say what it is, and never replace published files."""

import json

import numpy as np
import pandas as pd
import pytest

from tsad_keras.datasets import load_dataset
from tsad_keras.errors import InputError
from tsad_keras.evaluation.events import flags_to_events

SIZES = {"num_train": 600, "num_test": 400}


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("psm_stand_in")


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_reader_takes_it_and_repeats_the_note(script, tmp_path):
    folder = script.write_stand_in(tmp_path, **SIZES)
    dataset = load_dataset("psm", data_dir=tmp_path)
    assert dataset.train.shape == (600, 25)
    assert dataset.test.shape == (400, 25)
    assert np.isnan(dataset.train).any()
    assert not np.isnan(dataset.train).all(axis=0).any()
    assert not np.isnan(dataset.test).any()
    assert len(dataset.notes) == 1
    assert dataset.notes[0].startswith("STAND-IN, not PSM")
    assert json.loads((folder / "stand_in.json").read_text())["note"] == dataset.notes[0]
    header = (folder / "train.csv").read_text().splitlines()[0].split(",")
    assert header == ["timestamp_(min)", *(f"feature_{index}" for index in range(25))]


def test_a_seed_gives_the_same_bytes_and_another_seed_others(script, tmp_path):
    first = contents(script.write_stand_in(tmp_path / "a", seed=3, **SIZES))
    again = contents(script.write_stand_in(tmp_path / "b", seed=3, **SIZES))
    other = contents(script.write_stand_in(tmp_path / "c", seed=4, **SIZES))
    assert first == again
    assert first["train.csv"] != other["train.csv"]
    assert first["test_label.csv"] != other["test_label.csv"]


def test_given_labels_are_kept_byte_for_byte_and_move_only_the_features_under_them(
    script, tmp_path
):
    labels = np.zeros(300, int)
    labels[100:150] = 1
    frame = pd.DataFrame({"timestamp_(min)": 132480.0 + np.arange(300), "label": labels})
    path = tmp_path / "labels.csv"
    frame.to_csv(path, index=False)
    folder = script.write_stand_in(tmp_path / "a", path, num_train=600)
    assert (folder / "test_label.csv").read_bytes() == path.read_bytes()
    marked = load_dataset("psm", data_dir=tmp_path / "a")
    assert marked.test_labels.tolist() == labels.tolist()
    assert "not the published one" in marked.notes[0]

    frame.assign(label=0).to_csv(path, index=False)
    script.write_stand_in(tmp_path / "b", path, num_train=600)
    plain = load_dataset("psm", data_dir=tmp_path / "b")
    moved = (marked.test != plain.test).any(axis=1)
    assert moved.any()
    assert not moved[labels == 0].any()


def test_drawn_layout_has_the_published_statistics(script):
    labels = script.draw_labels(script.NUM_TEST, np.random.default_rng(0))
    events = flags_to_events(labels.astype(bool))
    assert len(events) == 72
    assert labels.mean() == pytest.approx(0.2776, abs=1e-4)
    assert np.median(events[:, 1] - events[:, 0]) == pytest.approx(5, abs=1)


@pytest.mark.parametrize("num_test", [100, 137, 1000, 2437, 30_000])
def test_drawn_layout_of_any_size_has_the_share(script, num_test):
    labels = script.draw_labels(num_test, np.random.default_rng(1))
    assert labels.sum() == round(0.2776 * num_test)


def test_keep_trend_is_told_in_the_note(script, tmp_path):
    script.write_stand_in(tmp_path, keep_trend=True, **SIZES)
    assert "with a trend" in load_dataset("psm", data_dir=tmp_path).notes[0]


def test_published_files_are_not_overwritten_and_an_older_stand_in_is(script, tmp_path):
    (tmp_path / "PSM").mkdir()
    (tmp_path / "PSM" / "train.csv").write_text("published")
    with pytest.raises(InputError, match="not overwritten"):
        script.write_stand_in(tmp_path, **SIZES)
    assert contents(tmp_path / "PSM") == {"train.csv": b"published"}
    (tmp_path / "PSM" / "stand_in.json").write_text("{}")
    script.write_stand_in(tmp_path, **SIZES)
    assert len(contents(tmp_path / "PSM")) == 4


def test_a_failure_leaves_nothing_behind(script, tmp_path, monkeypatch):
    def fail(*_):
        raise InputError("disk full")

    monkeypatch.setattr(script, "write_json", fail)
    with pytest.raises(InputError, match="disk full"):
        script.write_stand_in(tmp_path, **SIZES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--labels", "missing.csv"],
        ["--num-test", "20"],
        ["--num-train", "1"],
        ["--seed", "-1"],
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(script, tmp_path, capsys, arguments):
    assert script.main(["--data-dir", str(tmp_path / "new"), *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("psm_stand_in: error: ")
    assert "expected" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_the_command_prints_what_it_wrote(script, tmp_path, capsys):
    assert (
        script.main(["--data-dir", str(tmp_path), "--num-train", "300", "--num-test", "100"]) == 0
    )
    assert "stand_in.json, test.csv, test_label.csv, train.csv" in capsys.readouterr().out
