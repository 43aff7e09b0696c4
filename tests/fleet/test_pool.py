"""Workers that die, answer, are replaced and are ended; without TensorFlow, so it is quick."""

import os
import textwrap

import pytest

from tsad_keras.errors import InputError
from tsad_keras.fleet import pool

WORKER = """
import os, pathlib
from tsad_keras import children

answers = children.Answers()
print("no answer, so it must not reach the parent")
for task in children.tasks():
    seen = pathlib.Path(task["place"])
    with seen.open("a") as file:
        file.write("x")
    if len(seen.read_text()) <= task["deaths"]:
        raise SystemExit("out of luck")
    answers.send({"double": 2 * task["number"], "process": os.getpid()})
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Function: runs numbers, each of which kills its worker as often as told."""
    (tmp_path / "doubling_worker.py").write_text(textwrap.dedent(WORKER))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def run(deaths, jobs=2, on_answer=None):
        found = {}
        tasks = [
            {"number": number, "deaths": count, "place": str(tmp_path / f"{number}.txt")}
            for number, count in enumerate(deaths)
        ]
        keep = on_answer or (lambda task, answer: found.setdefault(task["number"], answer))
        pool.run_pool("doubling_worker", tasks, jobs, keep)
        return found

    return run


def test_workers_live_for_many_tasks(run):
    found = run([0] * 6, jobs=2)
    assert {number: answer["double"] for number, answer in found.items()} == {
        number: 2 * number for number in range(6)
    }
    assert 1 <= len({answer["process"] for answer in found.values()}) <= 2
    assert os.getpid() not in {answer["process"] for answer in found.values()}


def test_a_death_costs_one_more_try_and_nobody_else(run, tmp_path):
    found = run([0, 1, 0, 5, 0], jobs=1)
    assert found[1]["double"] == 2
    assert found[3]["error"] == "its process ended with code 1: out of luck"
    assert [found[number]["double"] for number in (0, 2, 4)] == [0, 4, 8]
    tries = [(tmp_path / f"{number}.txt").read_text() for number in range(5)]
    assert tries == ["x", "xx", "x", "xx", "x"]


def test_a_worker_is_replaced_after_so_many_tasks(run, monkeypatch):
    monkeypatch.setattr(pool, "_TASKS_A_WORKER", 2)
    found = run([0] * 5, jobs=1)
    assert sorted(found) == list(range(5))
    assert len({answer["process"] for answer in found.values()}) == 3


def test_an_error_of_the_receiver_ends_all(run, tmp_path):
    def broken(task, answer):
        raise InputError("the disk is full")

    with pytest.raises(InputError, match="the disk is full"):
        run([0] * 50, jobs=2, on_answer=broken)
    assert len(list(tmp_path.glob("*.txt"))) < 50


def test_no_task_no_worker(run):
    assert run([]) == {}
