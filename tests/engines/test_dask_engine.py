"""Dask with two worker processes for real; one is killed in the middle."""

import contextlib
import os
import re
import signal
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.engines.dask_engine import run_on_dask, train_on_dask
from tsad_keras.engines.plan import plan_tasks, tidy, unfinished
from tsad_keras.engines.work import locate_model
from tsad_keras.errors import InputError
from tsad_keras.fleet.pool import run_pool
from tsad_keras.inference.score_files import score_file

pytest.importorskip("distributed")
NUM_FILES = 12


@pytest.fixture
def inputs(write_series, tmp_path):
    """Files of different content, long enough that a worker is in the middle of one."""
    folder = tmp_path / "in"
    for number in range(NUM_FILES):
        write_series(folder / f"{number}.parquet", num_rows=4000 + number, seed=number)
    return folder


@pytest.mark.slow
def test_a_killed_worker_loses_nothing_and_doubles_nothing(export_dir, inputs, tmp_path):
    from tsad_keras import load_export

    (inputs / "broken.csv").write_text("time,a\n")
    model = locate_model(export_dir, exported=True)
    output = tmp_path / "out"
    tasks = plan_tasks([str(inputs / "*")], output, model)
    killed = []

    def kill_the_first_that_answers(answer):
        if not killed:  # by now it has begun another file
            killed.append(answer["process"])
            os.kill(answer["process"], signal.SIGKILL)

    answers = run_on_dask(tasks, num_workers=2, on_answer=kill_the_first_that_answers)

    tidy(tasks, age=0.0)

    assert sorted(a["source"] for a in answers) == sorted(task.source for task in tasks)
    failed = [a for a in answers if "error" in a]
    assert [Path(a["source"]).name for a in failed] == ["broken.csv"]
    assert len({a["process"] for a in answers}) >= 2
    done = [task for task in tasks if not task.source.endswith("broken.csv")]
    assert unfinished(done) == []
    expected = {Path(task.output).name for task in done} | {".scored"}
    assert {path.name for path in output.iterdir()} == expected  # no half-written files either

    scorer = load_export(export_dir)  # in this process: TensorFlow's own number of threads
    for task in done:
        score_file(scorer, task.source, tmp_path / "single.csv")
        ours, single = pd.read_csv(task.output), pd.read_csv(tmp_path / "single.csv")
        assert list(ours["time"]) == list(single["time"])
        np.testing.assert_allclose(
            ours["anomaly_score"], single["anomaly_score"], rtol=1e-5, atol=1e-5
        )
        assert list(ours["is_anomaly"]) == list(single["is_anomaly"])


def test_the_command_scores_what_is_missing_and_names_what_failed(
    export_dir, write_series, tmp_path, capsys, monkeypatch
):
    ran = []

    def run_here(tasks, **settings):
        from tsad_keras.engines.work import run_task

        ran.append([Path(task.source).name for task in tasks])
        return [run_task(task) for task in tasks]

    monkeypatch.setattr("tsad_keras.engines.dask_engine.run_on_dask", run_here)
    for number in range(3):
        write_series(tmp_path / "in" / f"{number}.csv", seed=number)
    (tmp_path / "in" / "broken.csv").write_text("time,a\n")
    words = ["score", "--engine", "dask", "--export-dir", str(export_dir), "--quiet"]
    words += ["--input", str(tmp_path / "in" / "*.csv"), "--output", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as error:
        main(words)
    output, errors = capsys.readouterr()
    assert error.value.code == 1
    assert output.startswith("3 files scored (180 time steps, ") and "1 failed" in output
    assert errors.count("\n") == 1 and "broken.csv has a header but no rows" in errors

    write_series(tmp_path / "in" / "1.csv", seed=7)
    (tmp_path / "in" / "broken.csv").unlink()
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("1 files scored (60 time steps, ")
    assert main(words) == 0
    assert "3 complete before" in capsys.readouterr().out
    assert ran == [["0.csv", "1.csv", "2.csv", "broken.csv"], ["1.csv"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "a.csv", "b.csv"], "add --engine dask"),
        (["--input", "a.csv", "--scheduler", "local"], "--scheduler came without an engine"),
        (["--input", "a.csv", "--workers", "2"], "--workers came without an engine"),
        (["--engine", "dask", "--dataset", "synthetic"], "expected files"),
        (["--engine", "dask", "--input", "nowhere/*.csv"], "no file matches"),
        (
            ["--engine", "dask", "--input", "a.csv", "--scheduler", "tcp://h:1", "--workers", "2"],
            "leave one of the two out",
        ),
    ],
)
def test_flags_that_do_not_fit(export_dir, words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["score", "--export-dir", str(export_dir), "--output", "out", *words]
    assert main(words) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "ftp://127.0.0.1:9"])
def test_a_scheduler_that_does_not_answer(address, monkeypatch):
    monkeypatch.setattr("tsad_keras.engines.dask_engine._CONNECT_SECONDS", 1)
    threads = threading.active_count()
    with pytest.raises(InputError, match="no Dask scheduler answers at"):
        run_on_dask([], scheduler=address)
    assert threading.active_count() == threads


def test_without_dask_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'tsad-keras\[dask\]'"):
        run_on_dask([])


def test_the_rest_of_the_package_imports_no_engine():
    import tsad_keras

    package = Path(tsad_keras.__file__).parent
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        uses = re.search(r"^\s*(import|from) (dask|distributed)\b", text, re.MULTILINE)
        assert not uses or path.name == "dask_engine.py", path


@pytest.mark.slow
def test_a_fleet_is_trained_although_a_worker_is_killed(make_series, tmp_path, monkeypatch):
    from tsad_keras import load_detector
    from tsad_keras.config import Config
    from tsad_keras.fleet import train_fleet
    from tsad_keras.fleet.table import FILE_NAME

    names = [f"web-{number}" for number in range(6)]
    for number, name in enumerate(names):
        frame = pd.DataFrame(make_series(300, seed=number), columns=["a", "b", "c"])
        (tmp_path / "data" / name).mkdir(parents=True)
        frame.to_csv(tmp_path / "data" / name / "train.csv", index=False)
    (tmp_path / "data" / "broken").mkdir()
    (tmp_path / "data" / "broken" / "train.csv").write_text("a,b,c\n")
    config = Config(
        **{"window_size": 20, "hidden_dim": 16, "num_heads": 2, "intermediate_dim": 16},
        **{"discriminator_dim": 16, "epochs": 3, "steps_per_epoch": 20, "memory_size": 20},
        **{"checkpoint_steps": 1, "score_stride": 10},
    )
    answers, killed = [], []

    def on_dask(module, tasks, jobs, on_answer):
        def also_kill(task, answer):
            on_answer(task, answer)
            answers.append((task["entity"], answer["process"]))
            if not killed and "error" not in answer:  # by now it has begun another one
                killed.append(answer["process"])
                os.kill(answer["process"], signal.SIGKILL)

        train_on_dask(tasks, num_workers=2, on_answer=also_kill)

    def train(model_dir, runner, entities):
        data = {"data_dir": tmp_path / "data", "config": config}
        return train_fleet("own", entities, model_dir=tmp_path / model_dir, runner=runner, **data)

    monkeypatch.chdir(tmp_path)
    assert train("fleet", on_dask, [*names, "broken"]) == {"trained": 6, "kept": 0, "failed": 1}
    assert sorted(entity for entity, _ in answers) == sorted([*names, "broken"])
    assert len(killed) == 1 and len({process for _, process in answers}) >= 2
    table = pd.read_csv(tmp_path / "fleet" / FILE_NAME).set_index("entity")
    assert dict(table["state"]) == {**dict.fromkeys(names, "trained"), "broken": "failed"}
    assert not list((tmp_path / "fleet").glob("*/checkpoint.npz"))

    answers.clear()
    assert train("fleet", on_dask, names) == {"trained": 0, "kept": 6, "failed": 0}
    assert train("alone", run_pool, names)["trained"] == 6
    for name in names:
        pair = [load_detector(tmp_path / folder / name) for folder in ("fleet", "alone")]
        series = make_series(60, seed=9)
        scores = [detector.decision_function(series) for detector in pair]
        np.testing.assert_allclose(scores[0], scores[1], rtol=1e-5, atol=1e-5)
        assert pair[0].threshold_ == pytest.approx(pair[1].threshold_, rel=1e-5)


def test_the_train_command_hands_the_fleet_to_dask(make_series, tmp_path, capsys, monkeypatch):
    given = {}

    def run_here(tasks, *, on_answer, **settings):
        given.update(settings)
        for task in tasks:
            on_answer(task, {"state": "trained", "process": 1})

    monkeypatch.setattr("tsad_keras.engines.dask_engine.train_on_dask", run_here)
    for name in ("web-0", "web-1"):
        (tmp_path / "data" / name).mkdir(parents=True)
        frame = pd.DataFrame(make_series(300, seed=0), columns=["a", "b", "c"])
        frame.to_csv(tmp_path / "data" / name / "train.csv", index=False)
    words = ["train", "--dataset", "own", "--data-dir", str(tmp_path / "data"), "--entities", "all"]
    words += ["--per-entity", "--engine", "dask", "--model-dir", str(tmp_path / "m")]
    assert main([*words, "--workers", "3"]) == 0
    assert given == {"scheduler": "local", "num_workers": 3}
    assert "2 entities: 2 trained, 0 kept, 0 failed" in capsys.readouterr().out
    assert main([*words, "--scheduler", "tcp://10.0.0.7:8786"]) == 0
    assert given == {"scheduler": "tcp://10.0.0.7:8786", "num_workers": None}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--engine", "dask"], "--engine dask came without --per-entity"),
        (["--per-entity", "--workers", "2"], "--workers came without an engine"),
        (["--per-entity", "--engine", "dask", "--jobs", "2"], "whose processes are --workers"),
        (
            ["--per-entity", "--engine", "dask", "--scheduler", "tcp://h:1", "--workers", "2"],
            "leave one of the two out",
        ),
    ],
)
def test_flags_of_train_that_do_not_fit(words, message, capsys, tmp_path):
    words = ["train", "--dataset", "synthetic", "--model-dir", str(tmp_path / "m"), *words]
    assert main(words) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_workers_elsewhere_are_told_whole_paths(monkeypatch, tmp_path):
    from tsad_keras.engines import dask_engine

    def answer(client, function, tasks, name, advice):
        return [(task, {"state": "trained", "process": 1}) for task in tasks]

    monkeypatch.setattr(dask_engine, "_client", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(dask_engine, "_answers", answer)
    monkeypatch.chdir(tmp_path)
    given = []
    task = {"entity": "web-0", "folder": "models/web-0", "data_dir": "data"}
    train_on_dask([task], on_answer=lambda task, answer: given.append(task))
    folders = {"folder": str(tmp_path / "models" / "web-0"), "data_dir": str(tmp_path / "data")}
    assert given == [{"entity": "web-0", **folders}]
