"""One file at a time: what is written, what counts as done, what failures become."""

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest

from tsad_keras.engines import work
from tsad_keras.engines.plan import plan_tasks, unfinished
from tsad_keras.engines.work import locate_model, run_task
from tsad_keras.errors import InputError
from tsad_keras.inference.score_files import score_file


@pytest.fixture
def task(export_dir, write_series, tmp_path):
    write_series(tmp_path / "in" / "a.csv")
    model = locate_model(export_dir, exported=True)
    return plan_tasks([str(tmp_path / "in" / "a.csv")], tmp_path / "out", model)[0]


def test_the_output_is_that_of_the_plain_command(task, tmp_path):
    from tsad_keras import load_export

    answer = run_task(task)
    assert answer["rows"] == 60 and answer["process"] == os.getpid()
    score_file(load_export(task.model.folder), task.source, tmp_path / "plain.csv")
    assert Path(task.output).read_bytes() == (tmp_path / "plain.csv").read_bytes()


def test_a_model_is_loaded_once(task, write_series, monkeypatch):
    loads = []
    real = work.open_model
    monkeypatch.setattr(work, "open_model", lambda *a, **k: loads.append(a) or real(*a, **k))
    work._cached.cache_clear()
    for seed in range(3):
        write_series(Path(task.source), seed=seed)
        assert "error" not in run_task(task)
    assert len(loads) == 1


def test_a_complete_output_is_not_made_again(task):
    first = run_task(task)
    before = Path(task.output).stat()
    assert unfinished([task]) == []
    assert run_task(task) == first
    after = Path(task.output).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def change_input(task, write_series):
    write_series(Path(task.source), seed=9)
    return task


def change_output(task, write_series):
    Path(task.output).write_text("time,anomaly_score,is_anomaly\n")
    return task


def remove_output(task, write_series):
    Path(task.output).unlink()
    return task


def damage_manifest(task, write_series):
    Path(task.manifest).write_text("{")
    return task


def remove_manifest(task, write_series):
    Path(task.manifest).unlink()  # as after a kill between the two writes
    return task


def change_model(task, write_series):
    model = dataclasses.replace(task.model, sha256="0" * 64)
    return dataclasses.replace(task, model=model)


def change_settings(task, write_series):
    return dataclasses.replace(task, causal=True)


@pytest.mark.parametrize(
    "change",
    [
        change_input,
        change_output,
        remove_output,
        damage_manifest,
        remove_manifest,
        change_model,
        change_settings,
    ],
)
def test_what_makes_an_output_count_as_missing(task, write_series, change):
    run_task(task)
    assert unfinished([change(task, write_series)]) != []


def test_the_chunk_size_does_not_matter(task):
    run_task(task)
    assert unfinished([dataclasses.replace(task, chunk_size=7)]) == []


def test_an_input_that_changes_while_it_is_read_is_not_taken(task, write_series, monkeypatch):
    real = work._score

    def and_then_it_changes(task):
        result = real(task)
        write_series(Path(task.source), seed=3)
        return result

    monkeypatch.setattr(work, "_score", and_then_it_changes)
    assert "changed while it was read" in run_task(task)["error"]
    assert unfinished([task]) == [task]


def test_another_model_under_the_same_path_is_refused(task, export_dir, tmp_path):
    copy = tmp_path / "model"
    shutil.copytree(export_dir, copy)
    model = locate_model(copy, exported=True)
    metadata = Path(model.folder) / "assets" / "metadata.json"
    metadata.write_text(metadata.read_text().replace("0", "1", 1))
    answer = run_task(dataclasses.replace(task, model=model))
    assert "is another one than when the run began" in answer["error"]
    assert not Path(task.output).exists()


def test_failures_are_one_line_and_leave_nothing(task, monkeypatch):
    Path(task.source).write_text("time,a\n2021-01-01,1\n")
    answer = run_task(task)
    assert "\n" not in answer["error"] and not Path(task.output).exists()
    Path(task.source).unlink()
    assert "not found" in run_task(task)["error"]
    monkeypatch.setattr(work, "_made_of", lambda task: 1 / 0)
    assert "unexpected ZeroDivisionError" in run_task(task)["error"]


def test_a_trained_model_gives_the_same_to_1e_5(task, tiny_detector, tmp_path):
    import numpy as np
    import pandas as pd

    tiny_detector.save(tmp_path / "model")
    other = dataclasses.replace(
        task,
        model=locate_model(tmp_path / "model", exported=False),
        output=str(tmp_path / "other.csv"),
        manifest=str(tmp_path / "other.json"),
    )
    answers = run_task(task), run_task(other)
    assert answers[0]["rows"] == answers[1]["rows"]
    scores = [pd.read_csv(t.output)["anomaly_score"] for t in (task, other)]
    np.testing.assert_allclose(*scores, rtol=1e-5, atol=1e-5)


def test_the_manifest_says_what_the_output_was_made_of(task):
    run_task(task)
    found = json.loads(Path(task.manifest).read_text())
    assert found["model_sha256"] == task.model.sha256 and found["source"] == task.source
    assert found["input"]["size"] == Path(task.source).stat().st_size


def test_the_hash_of_a_model_follows_its_files(export_dir, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(export_dir, copy)
    first = locate_model(export_dir, exported=True)
    assert locate_model(copy, exported=True).sha256 == first.sha256
    assert locate_model(copy / "1", exported=True).folder == str(copy / "1")
    with next((copy / "1" / "variables").glob("*data*")).open("r+b") as file:
        file.seek(40)
        file.write(b"\xff\x00\xff")
    assert locate_model(copy, exported=True).sha256 != first.sha256


def test_a_missing_model_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no exported version"):
        locate_model(tmp_path, exported=True)
    with pytest.raises(InputError, match="check --model-dir"):
        locate_model(tmp_path, exported=False)
