"""The whole grid: what is planned, resumed, computed again, refused, and how it ends."""

import contextlib
import csv
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tsad_keras
from tsad_keras.benchmark import run_grid
from tsad_keras.benchmark.processes import run_here, run_tasks
from tsad_keras.benchmark.rows import ResultsFile, key_of
from tsad_keras.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, main
from tsad_keras.errors import InputError

ROOT = Path(tsad_keras.__file__).parents[1]
QUICK = ["random", "l2-norm", "knn-projection"]


@pytest.fixture
def grid(tmp_path, settings, sizes):
    """Runs a small grid here; returns its tasks."""

    def run(methods=QUICK, seeds=2, runner=run_here, **options):
        tasks = []

        def noting(given, jobs, on_rows):
            tasks.extend(given)
            return runner(given, jobs, on_rows)

        overrides = {**settings, **options.pop("overrides", {})}
        data_options = {"synthetic": options.pop("sizes", sizes)}
        run_grid(
            **{"datasets": ["synthetic"], **options},
            method_words=methods,
            seeds=seeds,
            overrides=overrides,
            data_options=data_options,
            output_dir=tmp_path,
            runner=noting,
        )
        return tasks

    return run


def rows(folder):
    return ResultsFile(folder / "results.csv").rows


def test_one_row_for_each_method_seed_and_post(grid, tmp_path):
    grid()
    found = [(row["method"], row["seed"], row["post"]) for row in rows(tmp_path)]
    runs = [("random", 0), ("random", 1), ("l2-norm", 0)]
    runs += [("knn-projection", 0), ("knn-projection", 1)]
    names = ["raw", "ewma5", "two5", "scales5", "burst5"]
    assert found == [(method, seed, post) for method, seed in runs for post in names]
    assert (tmp_path / "benchmark.md").read_text().startswith("# Benchmark: synthetic (1 entity)")
    assert (tmp_path / "figures" / "vus_pr.png").stat().st_size > 0


def test_the_first_seed_can_be_chosen(grid, tmp_path):
    grid(["random"], overrides={"seed": 5})
    assert sorted({row["seed"] for row in rows(tmp_path)}) == [5, 6]


def test_what_is_finished_is_not_computed_again(grid, tmp_path):
    grid()
    before = (tmp_path / "results.csv").read_bytes()
    assert grid() == []
    assert (tmp_path / "results.csv").read_bytes() == before
    (task,) = grid(seeds=3, methods=["knn-projection", "l2-norm"])
    assert (task.model, task.seeds) == ("knn-projection", (2,))
    assert (tmp_path / "results.csv").read_bytes().startswith(before)


def test_after_a_kill_only_the_run_that_was_cut_is_done_again(grid, tmp_path):
    grid()
    path = tmp_path / "results.csv"
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:-2]) + lines[-2][:40])  # within the last run's four rows
    (task,) = grid()
    assert (task.model, task.seeds) == ("knn-projection", (1,))
    again = rows(tmp_path)
    assert len(again) == len(lines) - 1
    assert len({key_of(row) for row in again}) == len(again)


@pytest.mark.parametrize("change", ["settings", "data", "version"])
def test_other_settings_data_or_version_are_computed_again(
    grid, tmp_path, change, sizes, monkeypatch, caplog
):
    grid(["random", "l2-norm"])
    old = rows(tmp_path)
    options = {}
    if change == "settings":
        options["overrides"] = {"clip": 3.0}
    elif change == "data":
        options["sizes"] = {**sizes, "num_test": 410}
    else:
        for module in ("benchmark.grid", "reporting.facts"):
            monkeypatch.setattr(f"tsad_keras.{module}.__version__", "9.9")
    with caplog.at_level(logging.INFO, logger="tsad_keras"):
        tasks = grid(["l2-norm"], **options)
    assert [task.model for task in tasks] == ["l2-norm"]
    assert "5 rows belong to other data, settings or versions" in caplog.text
    new = rows(tmp_path)
    assert [key_of(row) for row in new] == [key_of(row) for row in old]  # others are not touched
    assert new[:8] == old[:8]
    assert ResultsFile(tmp_path / "results.previous.csv").rows == old
    assert grid(["l2-norm"], **options) == []


def test_a_task_that_fails_does_not_stop_the_others(grid, tmp_path):
    def runner(tasks, jobs, on_rows):
        run_here([task for task in tasks if task.model != "random"], jobs, on_rows)
        return [(task, "the moon was full") for task in tasks if task.model == "random"]

    with pytest.raises(InputError, match=r"1 of 3 tasks failed.*random: the moon was full"):
        grid(runner=runner)
    assert {row["method"] for row in rows(tmp_path)} == {"l2-norm", "knn-projection"}
    assert "**failed**: synthetic synthetic, random" in (tmp_path / "benchmark.md").read_text()
    assert [task.model for task in grid()] == ["random"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": ["nosuch"]}, "unknown method"),
        ({"datasets": ["nosuch"]}, "unknown dataset"),
        ({"datasets": ["synthetic"], "entities": ["x"]}, "unknown entity 'x'"),
        ({"overrides": {"window_size": 21}}, "multiple of patch_size"),
    ],
)
def test_mistakes_are_found_before_the_first_run(grid, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        grid(**options)
    assert list(tmp_path.iterdir()) == []


def test_own_folders_and_entities_without_labels(tmp_path, settings, make_series, caplog):
    for index, name in enumerate(("one", "two", "three")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for part, length in (("train", 300), ("test", 100)):
            with (folder / f"{part}.csv").open("w") as file:
                writer = csv.writer(file)
                writer.writerow(["x", "y"])
                writer.writerows(make_series(length, 2, seed=index))
        if name != "three":
            lines = ["label", *("1" if 40 <= row < 50 else "0" for row in range(100))]
            (folder / "test_label.csv").write_text("\n".join(lines))
    run_grid(
        ["own"],
        ["l2-norm", "pca-error"],
        output_dir=tmp_path / "out",
        data_dir=tmp_path / "data",
        overrides=settings,
        runner=run_here,
    )
    assert {row["entity"] for row in rows(tmp_path / "out")} == {"one", "two"}
    assert "own three has no labels to judge by" in caplog.text


def command(*words):
    return [
        *("benchmark", "--datasets", "own", "--data-dir", "data", "--output", "out"),
        *("--window-size", "20", "--score-stride", "10", *words),
    ]


@pytest.fixture
def own_folder(tmp_path, make_series, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    lines = [",".join(map(str, row)) for row in make_series(400, 2).round(3)]
    Path("data/train.csv").write_text("\n".join(["x,y", *lines]))
    Path("data/test.csv").write_text("\n".join(["x,y", *lines[:200]]))
    labels = ["1" if 40 <= row < 50 else "0" for row in range(200)]
    Path("data/test_label.csv").write_text("\n".join(["label", *labels]))
    return tmp_path


def test_the_command_runs_processes_and_goes_on(own_folder, capsys):
    assert main(command("--methods", "l2-norm", "random", "--seeds", "2", "--jobs", "2")) == 0
    output = capsys.readouterr().out
    assert "3/3 own" in output
    assert f"report: {Path('out/benchmark.md')}" in output
    found = rows(Path("out"))
    assert len(found) == 15
    assert all(row["peak_memory_mb"] is None or row["peak_memory_mb"] < 600 for row in found)
    assert main(command("--methods", "l2-norm", "random", "--seeds", "2", "--quiet")) == 0
    assert rows(Path("out")) == found
    assert main(command("--methods", "randon")) == EXIT_BAD_INPUT
    assert "expected 'random'" in capsys.readouterr().err


def test_a_process_that_dies_is_a_failed_task(own_folder, monkeypatch, capsys):
    monkeypatch.setattr("tsad_keras.children.sys.executable", "/bin/false")
    assert main(command("--methods", "l2-norm")) == EXIT_BAD_INPUT
    assert "ended with code 1" in capsys.readouterr().err


def test_an_input_error_of_a_process_is_its_message(own_folder, capsys):
    Path("data/test.csv").write_text("\n".join(["x,y", *["1,2"] * 15]))
    Path("data/test_label.csv").write_text("\n".join(["label", *["0", "1", "0"] * 5]))
    assert main(command("--methods", "knn-projection", "l2-norm")) == EXIT_BAD_INPUT
    assert "a series has 15 time steps, expected at least" in capsys.readouterr().err
    assert {row["method"] for row in rows(Path("out"))} == {"l2-norm"}


@pytest.fixture
def endless(own_folder):
    """The command while it trains a detector without end, its first row written."""
    words = command("--methods", "contrastive-gan", "l2-norm", "--epochs", "100000")
    words += ["--early-stopping-patience", "0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tsad_keras", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        # Tests that run in the background may have been told to ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_until(lambda: (own_folder / "out" / "results.csv").exists())
        wait_until(lambda: children_of(process.pid))
        time.sleep(1)
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_until(is_true, seconds=60):
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def children_of(pid):
    """Process ids of the workers of a process."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(int(path.parent.name))
    return found


def is_running(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs Linux")


@needs_proc
def test_interrupted_it_ends_its_processes_and_says_how_to_go_on(endless, own_folder):
    (worker,) = children_of(endless.pid)
    endless.send_signal(signal.SIGINT)
    _, errors = endless.communicate(timeout=30)
    assert endless.returncode == EXIT_INTERRUPTED
    assert errors.count("\n") == 1
    assert "goes on with the runs that are missing" in errors
    assert not is_running(worker)
    assert {row["method"] for row in rows(own_folder / "out")} == {"l2-norm"}


@needs_proc
def test_killed_it_leaves_no_process_behind(endless, own_folder):
    (worker,) = children_of(endless.pid)
    endless.kill()
    endless.wait()
    wait_until(lambda: not is_running(worker), seconds=10)
    assert {row["method"] for row in rows(own_folder / "out")} == {"l2-norm"}


def test_tasks_after_an_error_of_the_writer_are_not_run(own_folder, settings):
    def broken(task, rows):
        raise InputError("the disk is full")

    from tsad_keras.benchmark.worker import Task

    tasks = [
        Task("own", "data", "data", {}, "l2-norm", ("l2-norm",), (seed,), settings)
        for seed in range(5)
    ]
    started = time.monotonic()
    with pytest.raises(InputError, match="the disk is full"):
        run_tasks(tasks, 1, broken)
    assert time.monotonic() - started < 30
