"""`train --per-entity` as a user meets it: real processes, killed and started again."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tsad_keras
from tsad_keras import load_detector
from tsad_keras.cli import EXIT_BAD_INPUT, main

ROOT = Path(tsad_keras.__file__).parents[1]
SMALL = {
    **{"window-size": 20, "patch-size": 5, "score-stride": 10, "batch-size": 8},
    **{"hidden-dim": 16, "num-heads": 2, "intermediate-dim": 16, "discriminator-dim": 16},
    **{"epochs": 3, "steps-per-epoch": 4, "memory-size": 20, "checkpoint-steps": 1},
}
TINY = [word for name, value in SMALL.items() for word in (f"--{name}", str(value))]
NAMES = ("web-0", "web-1", "web-2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_series):
    """Data of three servers, and each one's model as `train` alone makes it."""
    folder = tmp_path_factory.mktemp("fleet")
    for number, name in enumerate(NAMES):
        frame = pd.DataFrame(make_series(200, seed=number), columns=["a", "b", "c"])
        frame.insert(0, "time", pd.date_range("2021-01-01", periods=200, freq="min"))
        (folder / "data" / name).mkdir(parents=True)
        frame.to_csv(folder / "data" / name / "train.csv", index=False)
    for name in NAMES:
        words = ["--entity", name, "--model-dir", str(folder / "alone" / name)]
        assert main(["train", *own(folder), *words, *TINY, "--quiet"]) == 0
    return folder


def own(folder):
    return ["--dataset", "own", "--data-dir", str(folder / "data")]


def start(folder, model_dir):
    words = ["--entities", "all", "--per-entity", "--jobs", "2", "--model-dir", str(model_dir)]
    return subprocess.Popen(
        [sys.executable, "-m", "tsad_keras", "train", *own(folder), *words, *TINY],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def children_of(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(path.parent)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")
def test_killed_and_started_again_nothing_is_lost_or_doubled(folder, tmp_path):
    for number in (signal.SIGTERM, signal.SIGKILL):
        process = start(folder, tmp_path / "m")
        deadline = time.monotonic() + 300
        # In the middle: some entity has begun, and (the second time) another one is finished.
        wanted = "*/checkpoint.npz" if number == signal.SIGTERM else "*/trained.json"
        while not list((tmp_path / "m").glob(wanted)):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        workers = children_of(process.pid)
        process.send_signal(number)
        process.communicate()
        assert process.returncode == -number
        while any(worker.exists() for worker in workers):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "m").glob("*/trained.json")}
    process = start(folder, tmp_path / "m")
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    assert f"{3 - len(kept)} trained, {len(kept)} kept, 0 failed" in output
    for path, time_of_writing in kept.items():
        assert path.stat().st_mtime_ns == time_of_writing
    with (tmp_path / "m" / "fleet.csv").open() as file:
        assert [row["entity"] for row in csv.DictReader(file)] == list(NAMES)
    for name in NAMES:
        assert not (tmp_path / "m" / name / "checkpoint.npz").exists()
        made, alone = (load_detector(f / name) for f in (tmp_path / "m", folder / "alone"))
        weights = alone.networks_.weights()
        # One thread and two add up in another order, so not to the last bit.
        for key, value in made.networks_.weights().items():
            assert np.allclose(value, weights[key], atol=1e-3)
        assert made.threshold_ == pytest.approx(alone.threshold_, rel=0.05)


@pytest.fixture
def models(folder, tmp_path):
    """A folder of models by entity, as `train --per-entity` leaves it."""
    (tmp_path / "models").mkdir()
    for name in NAMES:
        (tmp_path / "models" / name).symlink_to(folder / "alone" / name)
    (tmp_path / "models" / "fleet.csv").write_text("entity\n")
    return tmp_path / "models"


@pytest.mark.slow
def test_score_writes_a_file_for_each_entity(folder, models, tmp_path, capsys):
    out = tmp_path / "scores"
    words = [*own(folder), "--entities", "all", "--model-dir", str(models), "--output", str(out)]
    assert main(["score", *words]) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"{name}.csv" for name in NAMES]
    assert "3 of 3 entities scored" in capsys.readouterr().out
    single = ["--entity", "web-1", "--model-dir", str(folder / "alone" / "web-1")]
    assert main(["score", *own(folder), *single, "--output", str(tmp_path / "one.csv")]) == 0
    assert (tmp_path / "one.csv").read_bytes() == (out / "web-1.csv").read_bytes()
    # One entity that fails is reported and the others are scored.
    (models / "web-1").unlink()
    assert main(["score", *words, "--quiet"]) == EXIT_BAD_INPUT
    errors = capsys.readouterr().err
    assert "holds no model of the entity 'web-1'" in errors and "1 of 3 entities failed" in errors


@pytest.mark.slow
def test_a_file_is_scored_with_the_model_of_its_entity(folder, models, tmp_path, capsys):
    source = str(folder / "data" / "web-2" / "train.csv")
    words = ["score", "--model-dir", str(models), "--input", source]
    output = ["--output", str(tmp_path / "s.csv"), "--quiet"]
    assert main([*words, "--entity", "web-2", *output]) == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 201
    assert main([*words, *output]) == EXIT_BAD_INPUT
    assert "a model for each entity and none was named" in capsys.readouterr().err
    assert main([*words, "--entity", "web-9", *output]) == EXIT_BAD_INPUT
    assert "holds no model of the entity 'web-9'" in capsys.readouterr().err


@pytest.mark.slow
def test_one_model_of_all_with_a_calibration_each(folder, tmp_path, capsys):
    words = [*own(folder), "--entities", "all", "--entity-scaling", "--quiet"]
    joint = ["--model-dir", str(tmp_path / "joint")]
    assert main(["train", *words, *joint, *TINY]) == 0
    assert "3 entities with a threshold each" in capsys.readouterr().out
    source = ["--input", str(folder / "data" / "web-2" / "train.csv"), "--quiet"]
    output = ["--output", str(tmp_path / "s.csv")]
    assert main(["score", *joint, *source, *output]) == EXIT_BAD_INPUT
    assert "none was named, expected one of web-0, web-1, web-2" in capsys.readouterr().err
    assert main(["score", *joint, *source, *output, "--entity", "web-2"]) == 0
    many = ["--entities", "web-0", "web-2", "--output", str(tmp_path / "many"), "--quiet"]
    assert main(["score", *joint, *own(folder), *many]) == 0
    assert sorted(path.name for path in (tmp_path / "many").iterdir()) == ["web-0.csv", "web-2.csv"]
    export = ["export", *joint, "--export-dir", str(tmp_path / "export"), "--quiet"]
    assert main(export) == EXIT_BAD_INPUT
    assert "none was named" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["--train-file", "a.csv", "--per-entity"], "--per-entity came with --train-file"),
        (["--dataset", "own", "--jobs", "2"], "--jobs 2 came without --per-entity"),
        (["--dataset", "own", "--per-entity", "--entity-scaling"], "came with --per-entity"),
        (["--train-file", "a.csv", "--entities", "all"], "--entities came with files"),
        (["--dataset", "own", "--per-entity", "--entities", "x"], "unknown entity 'x'"),
    ],
)
def test_flags_that_contradict_each_other(folder, tmp_path, capsys, words, fragment):
    place = ["--data-dir", str(folder / "data"), "--model-dir", str(tmp_path / "m")]
    assert main(["train", *words, *place]) == EXIT_BAD_INPUT
    assert fragment in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_what_trains_a_model_each_refuses_the_setting_for_all(capsys):
    for words in (
        ["reproduce", "synthetic"],
        ["benchmark", "--datasets", "synthetic", "--output", "x"],
    ):
        assert main([*words, "--entity-scaling"]) == EXIT_BAD_INPUT
        assert "which trains a model for each entity" in capsys.readouterr().err
