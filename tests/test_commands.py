"""The commands on small files: what they write, what bad input and interruptions leave."""

import fcntl
import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, main
from tsad_keras.files import read_arrays, write_arrays
from tsad_keras.training import Trainer

SMALL = {
    **{"window-size": 20, "patch-size": 5, "score-stride": 10, "batch-size": 8},
    **{"hidden-dim": 16, "num-heads": 2, "intermediate-dim": 16, "discriminator-dim": 16},
    **{"epochs": 1, "steps-per-epoch": 2},
}
TINY = ["--quiet", *(word for name, value in SMALL.items() for word in (f"--{name}", str(value)))]
NAMES = ["cpu", "a,b", "ü\nx"]  # names that need quotes in CSV


def save(frame, path):
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)


def changed(frame, **cells):
    """A copy with other cells: `row_column=value`."""
    frame = frame.astype(object)
    for place, value in cells.items():
        row, column = place.split("_")[1:]
        frame.iloc[int(row), int(column)] = value
    return frame


@pytest.fixture(scope="module")
def frames(make_series):
    """Train and test with times, 300 and 107 rows; test begins with gaps that cross chunks."""
    train = pd.DataFrame(make_series(300), columns=NAMES)
    train.insert(0, "time", pd.date_range("2021-01-01", periods=300, freq="h"))
    test = pd.DataFrame(make_series(107, seed=1), columns=NAMES)
    test.insert(0, "time", pd.date_range("2021-02-01", periods=107, freq="h"))
    return train, test


@pytest.fixture(scope="module")
def folder(tmp_path_factory, frames):
    """The files, and a model trained on them."""
    folder = tmp_path_factory.mktemp("commands")
    train, test = frames
    (folder / "own").mkdir()
    with_gaps = test.copy()
    with_gaps.iloc[5:30, 1] = np.nan
    with_gaps.iloc[38:43, 1:] = np.nan  # every feature, across the borders of chunks of 7 and 40
    with_gaps.iloc[0:3, 2] = np.nan
    save(train, folder / "own" / "train.csv")
    save(with_gaps, folder / "own" / "test.csv")
    save(with_gaps, folder / "test.parquet")
    with_gaps.to_csv(folder / "test.csv.gz", index=False)
    labels = pd.DataFrame({"time": test["time"], "label": 0})
    labels.loc[50:59, "label"] = 1
    save(labels, folder / "labels.csv")
    words = [
        "--train-file",
        str(folder / "own" / "train.csv"),
        "--model-dir",
        str(folder / "model"),
    ]
    assert main(["train", *words, *TINY]) == 0
    return folder


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def score(folder, *words):
    return main(["score", "--model-dir", str(folder / "model"), "--quiet", *map(str, words)])


def weights(model):
    return {name: value.tobytes() for name, value in read_arrays(model / "detector.npz")[0].items()}


def one_line(capsys):
    output, errors = capsys.readouterr()
    assert errors.count("\n") == 1 and errors.startswith("tsad-keras "), errors
    assert output == ""
    return errors


# --- what is written ------------------------------------------------------------------------------


def test_train_leaves_model_settings_and_history_and_no_checkpoint(folder):
    found = sorted(path.name for path in (folder / "model").iterdir())
    assert found == ["config.json", "data.json", "detector.npz", "history.csv"]
    config = json.loads((folder / "model" / "config.json").read_text())
    assert (config["window_size"], config["epochs"], config["seed"]) == (20, 1, 0)


def test_score_writes_a_row_for_each_time_step(folder, work, capsys):
    assert score(folder, "--input", folder / "own" / "test.csv", "--output", "new/s.csv") == 0
    lines = (work / "new" / "s.csv").read_text().splitlines()
    assert lines[0] == "time,anomaly_score,is_anomaly" and len(lines) == 108
    assert lines[1].startswith("2021-02-01T00:00,") and lines[2].startswith("2021-02-01T01:00,")
    threshold = read_arrays(folder / "model" / "detector.npz")[1]["threshold"]
    scores = pd.read_csv(work / "new" / "s.csv")
    assert (scores["is_anomaly"] == (scores["anomaly_score"] >= threshold)).all()
    assert scores["anomaly_score"].between(0, np.inf, inclusive="neither").all()
    output, errors = capsys.readouterr()
    assert output.startswith("107 time steps, ") and errors == ""
    assert [path.name for path in (work / "new").iterdir()] == ["s.csv"]


def test_the_same_rows_get_the_same_bytes_from_any_source_in_any_chunks(folder, work):
    source = folder / "own" / "test.csv"
    assert score(folder, "--input", source, "--output", "whole.csv") == 0
    ways = [["--input", source, "--chunk-size", size] for size in (1, 7, 19, 20, 40, 106)]
    ways += [["--input", folder / name] for name in ("test.parquet", "test.csv.gz")]
    ways.append(["--dataset", "own", "--data-dir", folder])
    for number, way in enumerate(ways):
        assert score(folder, *way, "--output", f"{number}.csv") == 0
        assert (work / f"{number}.csv").read_bytes() == (work / "whole.csv").read_bytes(), way


def test_a_file_of_exactly_one_window_is_scored(folder, work, frames):
    save(frames[1].head(20), work / "t.csv")
    assert score(folder, "--input", "t.csv", "--output", "s.csv") == 0
    assert len(pd.read_csv("s.csv")) == 20


def test_evaluate_judges_the_scores_and_writes_the_numbers(folder, work, frames, capsys):
    scores = pd.DataFrame({"time": frames[1]["time"], "anomaly_score": 0.0, "is_anomaly": 0})
    scores.loc[50:54, ["anomaly_score", "is_anomaly"]] = 1
    save(scores, work / "s.csv")
    labels = str(folder / "labels.csv")
    words = ["--scores", "s.csv", "--labels", labels, "--output", "r.json"]
    assert main(["evaluate", *words]) == 0
    numbers = json.loads((work / "r.json").read_text())
    assert (numbers["precision_score"], numbers["recall_score"]) == (1.0, 0.5)
    assert numbers["roc_auc_score"] == pytest.approx(0.75)
    assert numbers["always_alarm_f1_score"] == pytest.approx(2 * 10 / 117)
    output = capsys.readouterr().out
    assert "oracle" in output and "inflated" in output


def test_the_settings_of_a_model_train_the_same_model_again(folder, work):
    words = ["--train-file", str(folder / "own" / "train.csv"), "--quiet", "--model-dir", "again"]
    assert main(["train", *words, "--config", str(folder / "model" / "config.json")]) == 0
    assert weights(work / "again") == weights(folder / "model")


# --- bad input ------------------------------------------------------------------------------------

# name: (frame from test, what the message must hold when it is scored)
BAD_TABLES = {
    "text": (
        lambda t: changed(t, c_50_1="oops"),
        "'cpu' holds the text 'oops' at data row 51",
    ),
    "infinite": (
        lambda t: changed(t, c_50_1="inf"),
        "column 'cpu' holds an infinite value at data",
    ),
    "doubled": (lambda t: t.iloc[[*range(60), *range(59, 107)]], "the same time as the row before"),
    "unsorted": (lambda t: t.iloc[::-1], "an earlier time than the row before"),
    "short": (lambda t: t.head(19), "has 19 time steps, expected at least window_size (20)"),
    "swapped": (lambda t: t.iloc[:, [0, 2, 1, 3]], "in another order (feature 1 is 'a,b'"),
    "lacking": (lambda t: t.drop(columns="cpu"), "lacks cpu, expected the columns of training"),
    "extra": (lambda t: t.assign(disk=1.0), "has disk, expected the columns of training"),
    "unlike": (lambda t: pd.DataFrame({"a": ["x"] * 40}), "lacks cpu, a,b, ü x and has a"),
    "header": (lambda t: t.head(0), "has a header but no rows"),
}


@pytest.mark.parametrize("name", BAD_TABLES)
@pytest.mark.parametrize("chunk_size", [7, 10_000])
def test_a_bad_table_cannot_be_scored(name, chunk_size, folder, work, frames, capsys):
    make, fragment = BAD_TABLES[name]
    save(make(frames[1]), work / "bad.csv")
    words = ["--input", "bad.csv", "--output", "new/s.csv", "--chunk-size", chunk_size]
    assert score(folder, *words) == EXIT_BAD_INPUT
    assert fragment in one_line(capsys)
    assert [path.name for path in work.iterdir()] == ["bad.csv"]


# name: (frame from train, what the message must hold when a model is trained on it)
BAD_TRAINING = {
    "text": (
        lambda t: changed(t, c_9_1="oops"),
        "'cpu' holds the text 'oops' at data row 10",
    ),
    "infinite": (lambda t: changed(t, c_9_1="-inf"), "column 'cpu' holds an infinite value"),
    "empty column": (lambda t: t.assign(cpu=np.nan), "column 'cpu' holds no value in any training"),
    "late column": (
        lambda t: t.assign(cpu=[np.nan] * 290 + [1.0] * 10),
        "feature 'cpu' has no value in the part of the series that is trained on",
    ),
    "constant": (lambda t: t.assign(**dict.fromkeys(NAMES, 3.0)), "are constant in the training"),
    "late change": (
        lambda t: t.assign(**dict.fromkeys(NAMES, [3.0] * 290 + [4.0] * 10)),
        "every feature is constant in the part of the series that is trained on",
    ),
    "huge": (lambda t: t.assign(cpu=t["cpu"] * 1e300), "values too large"),
    "short": (lambda t: t.head(39), "has 39 time steps, expected at least 40"),
    "words": (lambda t: pd.DataFrame({"a": ["x"] * 40}), "has no numeric column (columns: a)"),
    "doubled": (lambda t: t.iloc[[0, 0, 1]], "the same time as the row before"),
}


@pytest.mark.parametrize("name", BAD_TRAINING)
def test_nothing_is_trained_on_a_bad_table(name, work, frames, capsys):
    make, fragment = BAD_TRAINING[name]
    save(make(frames[0]), work / "bad.csv")
    words = ["train", "--train-file", "bad.csv", "--model-dir", "models/m", *TINY]
    assert main(words) == EXIT_BAD_INPUT
    assert fragment in one_line(capsys)
    assert [path.name for path in work.iterdir()] == ["bad.csv"]


BAD_FILES = {
    "empty.csv": (b"", "is empty, expected a header and rows"),
    "random.csv": (bytes(range(256)), "is not a text file"),
    "parquet.csv": (b"PAR1\x15\x04\x15\x00", "is not a text file"),
    "cut.parquet": (b"PAR1\x15\x04\x15\x00" * 9, "cannot read cut.parquet as Parquet"),
    "text.csv.gz": (b"time,cpu\n1,2\n", "cannot read text.csv.gz as CSV"),
    "table.xlsx": (b"PK", "has an unknown extension"),
    "ragged.csv": (b"cpu,disk\n1,2\n3\n", "line 3 has 1 cells, expected 2"),
    "numbers.csv": (b"0.5,0.7\n1,2\n", "has no header, its first line holds numbers"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_of_another_kind_is_refused(name, work, capsys):
    content, fragment = BAD_FILES[name]
    (work / name).write_bytes(content)
    assert main(["train", "--train-file", name, "--model-dir", "m", *TINY]) == EXIT_BAD_INPUT
    assert fragment in one_line(capsys)
    assert [path.name for path in work.iterdir()] == [name]


BAD_SCORES = {
    "other columns": ("time,score,is_anomaly\n1,2,0\n", "has no column anomaly_score"),
    "no decisions": ("time,anomaly_score\n1,2\n", "has no column is_anomaly"),
    "a gap": ("time,anomaly_score,is_anomaly\n1,,0\n2,1,0\n", "is empty at data row 1"),
    "no decision": ("time,anomaly_score,is_anomaly\n1,2,5\n", "holds 5 at data row 1, expected 0"),
    "length": ("time,anomaly_score,is_anomaly\n0,2,0\n", "holds 107 labels, expected 1"),
}


@pytest.mark.parametrize("name", BAD_SCORES)
def test_scores_that_cannot_be_judged(name, folder, work, capsys):
    text, fragment = BAD_SCORES[name]
    (work / "s.csv").write_text(text)
    labels = str(folder / "labels.csv")
    words = ["--scores", "s.csv", "--labels", labels, "--output", "r.json", "--quiet"]
    assert main(["evaluate", *words]) == EXIT_BAD_INPUT
    assert fragment in one_line(capsys)
    assert [path.name for path in work.iterdir()] == ["s.csv"]


def forged(change):
    """Damages a model in a way that its hash does not notice."""

    def damage(path):
        arrays, header = read_arrays(path)
        change(arrays, header)
        write_arrays(path, arrays, header)

    return damage


DAMAGES = {
    "missing": (lambda p: p.unlink(), "does not exist, expected the folder of a trained model"),
    "empty": (lambda p: p.write_bytes(b""), "is damaged"),
    "cut off": (lambda p: p.write_bytes(p.read_bytes()[:9000]), "is damaged"),
    "setting": (forged(lambda a, h: h["config"].update(epoch=1)), "unknown setting 'epoch'"),
    "width": (forged(lambda a, h: h["config"].update(hidden_dim=32)), "is damaged"),
    "no mean": (forged(lambda a, h: a.pop("mean")), "is damaged ('mean')"),
    "short mean": (forged(lambda a, h: a.update(mean=a["mean"][:2])), "mean has shape (2,)"),
    "no names": (forged(lambda a, h: h.update(feature_names=None)), "is damaged"),
    "version": (forged(lambda a, h: h.update(format_version=99)), "has format 99, expected 8"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_model_is_refused(name, folder, work, capsys):
    damage, fragment = DAMAGES[name]
    shutil.copytree(folder / "model", work / "model")
    damage(work / "model" / "detector.npz")
    words = ["--input", folder / "own" / "test.csv", "--output", "s.csv"]
    assert score(work, *words) == EXIT_BAD_INPUT
    assert fragment in one_line(capsys)
    assert not (work / "s.csv").exists()


# --- where it is written --------------------------------------------------------------------------


def test_the_file_that_is_read_is_never_replaced(folder, work, capsys):
    shutil.copy(folder / "own" / "test.csv", work / "t.csv")
    (work / "link.csv").symlink_to("t.csv")
    for output in ("t.csv", "./t.csv", "link.csv"):
        assert score(folder, "--input", "t.csv", "--output", output) == EXIT_BAD_INPUT
        assert "is also the file that is read" in one_line(capsys)
    assert (work / "t.csv").read_bytes() == (folder / "own" / "test.csv").read_bytes()


def test_a_link_stays_a_link_and_a_pipe_gets_nothing_but_scores(folder, work, capfd):
    (work / "link.csv").symlink_to("target.csv")
    (work / "target.csv").write_text("old")
    source = folder / "own" / "test.csv"
    assert score(folder, "--input", source, "--output", "link.csv") == 0
    assert (work / "link.csv").is_symlink()
    capfd.readouterr()
    words = ["score", "--model-dir", str(folder / "model"), "--input", str(source)]
    read, write = os.pipe()
    assert main([*words, "--output", f"/dev/fd/{write}"]) == 0
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == (work / "target.csv").read_text()
    assert capfd.readouterr().out == ""


def test_a_full_disk_is_one_line_and_the_old_file_stays(folder, work, monkeypatch, capsys):
    (work / "s.csv").write_text("old")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    source = folder / "own" / "test.csv"
    assert score(folder, "--input", source, "--output", "s.csv") == EXIT_BAD_INPUT
    assert "cannot write s.csv: No space left on device; free some space" in one_line(capsys)
    words = ["--train-file", str(folder / "own" / "train.csv"), "--model-dir", "m", *TINY]
    assert main(["train", *words]) == EXIT_BAD_INPUT
    assert "No space left on device" in one_line(capsys)
    assert [path.name for path in work.iterdir()] == ["s.csv"]
    assert (work / "s.csv").read_text() == "old"


def test_two_trainings_cannot_share_a_folder(folder, work, capsys):
    (work / "m").mkdir()
    descriptor = os.open("m", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)  # as another process would hold it
    words = ["--train-file", str(folder / "own" / "train.csv"), "--model-dir", "m", *TINY]
    assert main(["train", *words]) == EXIT_BAD_INPUT
    os.close(descriptor)
    assert "another training is writing to m, expected one at a time" in one_line(capsys)
    assert list((work / "m").iterdir()) == []


# --- interruptions --------------------------------------------------------------------------------


def test_an_interrupted_score_leaves_nothing(folder, work, monkeypatch, capsys):
    def stop(self, pieces, **_):
        yield next(iter(pieces)).sum(axis=1)
        raise KeyboardInterrupt

    monkeypatch.setattr("tsad_keras.detector.ContrastiveGANDetector.iterate_scores", stop)
    source = folder / "own" / "test.csv"
    assert score(folder, "--input", source, "--output", "new/s.csv") == EXIT_INTERRUPTED
    assert "nothing was written" in one_line(capsys)
    assert list(work.iterdir()) == []


def test_what_a_killed_process_left_goes_away_and_what_another_writes_stays(folder, work):
    abandoned, fresh, held = (work / f".s.csv.{name}.tmp" for name in ("old", "new", "held"))
    for path in (abandoned, fresh, held):
        path.write_text("half")
    for path in (abandoned, held):
        os.utime(path, (0, 0))
    with held.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # as a process that is writing holds it
        assert score(folder, "--input", folder / "own" / "test.csv", "--output", "s.csv") == 0
    assert sorted(path.name for path in work.iterdir()) == [held.name, fresh.name, "s.csv"]


def test_an_interrupted_training_goes_on_to_the_same_weights(folder, work, monkeypatch, capsys):
    words = ["train", "--train-file", str(folder / "own" / "train.csv"), *TINY, "--model-dir", "m"]
    words += ["--checkpoint-steps", "1"]
    whole_step = Trainer._one_step

    def stop(self, batch):
        if self._state.step == 1:
            raise KeyboardInterrupt
        whole_step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_one_step", stop)
        assert main(words) == EXIT_INTERRUPTED
    assert "goes on from the last checkpoint" in one_line(capsys)
    assert [path.name for path in (work / "m").iterdir()] == ["checkpoint.npz"]
    assert main(words) == 0
    assert weights(work / "m") == weights(folder / "model")


def test_a_training_that_diverges_keeps_its_last_good_epoch(folder, work, monkeypatch, capsys):
    words = ["train", "--train-file", str(folder / "own" / "train.csv"), *TINY]
    values = iter([float("nan"), 1.0, float("nan")])
    monkeypatch.setattr(Trainer, "_validate", lambda self, batches: next(values))
    assert main([*words, "--model-dir", "none"]) == EXIT_BAD_INPUT
    assert "became nan in epoch 1" in (line := one_line(capsys)) and "no model was saved" in line
    assert list(work.iterdir()) == []
    assert main([*words, "--model-dir", "model", "--epochs", "2"]) == EXIT_BAD_INPUT
    assert "became nan in epoch 2" in (line := one_line(capsys)) and "is in model" in line
    monkeypatch.undo()
    words = ["--input", folder / "own" / "test.csv", "--output", work / "s.csv"]
    assert score(work, *words) == 0
    assert weights(work / "model") == weights(folder / "model")  # those of epoch 1
