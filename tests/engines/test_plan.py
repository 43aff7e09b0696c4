"""Which inputs there are, where their outputs go, and what is refused."""

import pytest

from tsad_keras.engines.plan import plan_tasks, tidy
from tsad_keras.engines.work import ModelPlace
from tsad_keras.errors import InputError

MODEL = ModelPlace("/models/a", True, "0" * 64)


@pytest.fixture
def files(tmp_path):
    """Function: makes empty files below `tmp_path`."""

    def make(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path

    return make


def outputs(folder, *patterns):
    tasks = plan_tasks([str(folder / p) for p in patterns], folder / "out", MODEL)
    return {t.source.removeprefix(f"{folder}/"): t.output.removeprefix(f"{folder}/") for t in tasks}


@pytest.mark.parametrize(
    ("names", "patterns", "expected"),
    [
        (["in/a.csv", "in/b.csv"], ["in/*.csv"], {"in/a.csv": "a", "in/b.csv": "b"}),
        (["in/a.csv.gz", "in/b.x.csv"], ["in/*"], {"in/a.csv.gz": "a", "in/b.x.csv": "b.x"}),
        (["in/w1/c.csv", "in/w2/c.csv"], ["in/*/c.csv"], {"w1": "w1/c", "w2": "w2/c"}),
        (["in/w1/c.csv", "in/w2/c.csv"], ["in/**/*.csv"], {"w1": "w1/c", "w2": "w2/c"}),
        (["in/w1/c.csv", "in/w2/c.csv"], ["in/w1/c.csv", "in/w2/*.csv"], {"w1": "w1/c"}),
        (["in/a.csv", "in/b.csv"], ["in/a.csv"], {"in/a.csv": "a"}),
        (["in/[1].csv", "in/1.csv"], ["in/[1].csv"], {"in/[1].csv": "[1]"}),
        (["in/a.csv"], ["in/*.csv", "in/a.csv"], {"in/a.csv": "a"}),
    ],
)
def test_outputs_are_named_after_inputs_and_keep_their_folders(files, names, patterns, expected):
    found = outputs(files(*names), *patterns)
    for source, output in expected.items():
        match = [value for key, value in found.items() if source in key]
        assert match == [f"out/{output}.csv"]
    assert len(set(found.values())) == len(found)


def test_each_task_has_a_manifest_of_its_own(files):
    folder = files("in/w1/c.csv", "in/w2/c.csv")
    tasks = plan_tasks([str(folder / "in/*/*.csv")], folder / "out", MODEL, causal=True)
    assert len({task.manifest for task in tasks}) == 2
    assert all(task.causal and task.model == MODEL for task in tasks)


def test_the_output_folder_is_no_input_even_within_the_input_folder(files):
    folder = files("in/a.csv", "in/out/a.csv")
    tasks = plan_tasks([str(folder / "in/**/*.csv")], folder / "in" / "out", MODEL)
    assert [task.source for task in tasks] == [str(folder / "in/a.csv")]


def test_a_relative_pattern_and_one_with_dots_give_absolute_paths(files, monkeypatch):
    monkeypatch.chdir(files("in/a.csv"))
    (task,) = plan_tasks(["in/../in/*.csv"], "out", MODEL)
    assert task.source.endswith("/in/a.csv") and ".." not in task.source
    assert task.output.startswith("/") and task.output.endswith("/out/a.csv")


@pytest.mark.parametrize(
    ("names", "pattern", "message"),
    [
        (["in/a.csv"], "in/*.parquet", "no file matches"),
        (["in/a.csv"], "in", "is a folder, expected files; write"),
        (["in/a.csv", "in/a.parquet"], "in/*", "would both be scored into"),
        (["in/a.csv", "in/b.txt"], "in/*", "is none of .csv, .csv.gz, .parquet"),
        (["out/a.csv"], "out/*.csv", "does not count"),
    ],
)
def test_what_is_refused(files, names, pattern, message):
    folder = files(*names)
    with pytest.raises(InputError, match=message):
        outputs(folder, pattern)


def test_tidy_removes_what_nobody_writes(files):
    import fcntl

    folder = files(
        "in/a.csv", "out/.a.csv.x1.tmp", "out/.scored/.a.json.x2.tmp", "out/.b.csv.y.tmp"
    )
    tasks = plan_tasks([str(folder / "in/a.csv")], folder / "out", MODEL)
    tidy(tasks)  # too young: perhaps just being made
    with (folder / "out" / ".b.csv.y.tmp").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert len(list((folder / "out").rglob("*.tmp"))) == 3
        tidy(tasks, age=0.0)
    assert [path.name for path in (folder / "out").rglob("*.tmp")] == [".b.csv.y.tmp"]
