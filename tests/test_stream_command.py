"""The command `stream`: the scores of `score --causal`, live, through mistakes and restarts."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import types

import numpy as np
import pandas as pd
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, main
from tsad_keras.commands.streams import iterate_lines
from tsad_keras.export.requests import TOLERANCE, difference

NAMES = ["cpu", "disk", "net"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_config, make_series):
    """A model of named features, and rows with an alarm in a file."""
    from tsad_keras import ContrastiveGANDetector, export_saved_model

    folder = tmp_path_factory.mktemp("stream")
    train = pd.DataFrame(make_series(), columns=NAMES)
    detector = ContrastiveGANDetector(**tiny_config, seed=5).fit(train, verbose=False)
    detector.save(folder / "model")
    export_saved_model(detector, folder / "model")
    rows = pd.DataFrame(make_series(80, seed=3), columns=NAMES)
    rows.loc[40:44, "disk"] += 20
    rows.loc[10:12, "cpu"] = np.nan
    rows.insert(0, "time", pd.date_range("2024-01-01", periods=80, freq="min"))
    rows.to_csv(folder / "rows.csv", index=False)
    words = ["--model-dir", str(folder / "model"), "--input", str(folder / "rows.csv"), "--causal"]
    assert main(["score", *words, "--output", str(folder / "scores.csv"), "--quiet"]) == 0
    return folder


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """Function: the exit code, output and standard error of `stream` for a text as its input."""

    def run_stream(text, *flags, source=("--model-dir", "model")):
        read, write = os.pipe()
        content = text if isinstance(text, bytes) else text.encode()
        pid = os.fork()
        if pid == 0:  # a writer of its own: a pipe holds 64 KiB only
            os.close(read)
            with os.fdopen(write, "wb") as file:
                file.write(content)
            os._exit(0)
        os.close(write)
        capsys.readouterr()
        with os.fdopen(read, "rb") as file:
            monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(fileno=file.fileno))
            code = main(["stream", source[0], str(folder / source[1]), *map(str, flags)])
        os.waitpid(pid, 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run_stream


def frame(text):
    return pd.read_csv(io.StringIO(text))


def assert_same_scores(out, folder, rows=slice(None), *, of_export=False):
    expected = pd.read_csv(folder / "scores.csv").iloc[rows].reset_index(drop=True)
    came = frame(out)
    assert came["time"].tolist() == expected["time"].tolist()
    assert came["is_anomaly"].tolist() == expected["is_anomaly"].tolist()
    found, scores = came["anomaly_score"].to_numpy(), expected["anomaly_score"].to_numpy()
    if of_export:  # another order of float32 operations: what `verify-export` allows
        assert difference(found, scores) < TOLERANCE
    else:
        np.testing.assert_allclose(found, scores, rtol=1e-5)


@pytest.mark.parametrize("source", ["--model-dir", "--export-dir"])
def test_scores_are_those_of_the_file(run, folder, source):
    code, out, err = run((folder / "rows.csv").read_text(), source=(source, "model"))
    assert code == 0
    assert_same_scores(out, folder, of_export=source == "--export-dir")
    assert "80 rows, 80 scored" in err
    assert "alarm since 2024-01-01T00:40" in err
    assert "disk" in err


def test_json_lines_and_other_orders_give_the_same(run, folder):
    rows = pd.read_csv(folder / "rows.csv")
    items = rows[["net", "time", "disk", "cpu"]].to_dict("records")
    lines = [json.dumps({k: None if v != v else v for k, v in item.items()}) for item in items]
    code, out, _ = run("\n".join(lines))
    assert code == 0
    assert_same_scores(out, folder)


def test_delayed_scores_are_those_of_score_without_causal(run, folder, tmp_path):
    words = ["--model-dir", str(folder / "model"), "--input", str(folder / "rows.csv")]
    assert main(["score", *words, "--output", str(tmp_path / "s.csv"), "--quiet"]) == 0
    code, out, _ = run((folder / "rows.csv").read_text(), "--delayed", "--quiet")
    assert code == 0
    expected = pd.read_csv(tmp_path / "s.csv")
    assert difference(frame(out)["anomaly_score"], expected["anomaly_score"]) < TOLERANCE


def test_broken_lines_are_reported_skipped_and_counted(run, folder):
    lines = (folder / "rows.csv").read_text().splitlines()
    lines[5:5] = ["1,2", "2024-01-01T00:03:30,a,b,c", '"']
    code, out, err = run("\n".join(lines).encode() + b"\n\xff\xfe,1,2,3\n")
    assert code == 0
    assert_same_scores(out, folder)
    assert "line 6: 2 cells, expected 4; skipped" in err
    assert "line 7: column 'cpu' holds 'a'" in err
    assert "4 broken lines" in err


def test_many_broken_lines_are_only_counted(run, folder):
    lines = (folder / "rows.csv").read_text().splitlines()
    code, _, err = run("\n".join([*lines, *["broken"] * 500]))
    assert code == 0
    assert err.count("skipped") == 20
    assert "500 broken lines" in err


def test_late_and_doubled_rows_are_dropped(run, folder):
    lines = (folder / "rows.csv").read_text().splitlines()
    lines[30:30] = [lines[29], lines[3]]
    code, out, err = run("\n".join(lines))
    assert code == 0
    assert_same_scores(out, folder)
    assert "1 late and 1 doubled" in err


def test_without_times_rows_are_numbered(run, folder):
    rows = pd.read_csv(folder / "rows.csv").drop(columns="time")
    code, out, _ = run(rows.to_csv(index=False, header=False))
    assert code == 0
    assert frame(out)["time"].tolist() == list(range(80))


def test_events_are_appended_as_json_lines(run, folder, tmp_path):
    path = tmp_path / "events.jsonl"
    for _ in range(2):
        assert run((folder / "rows.csv").read_text(), "--events", path)[0] == 0
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == 2 * len(events[: len(events) // 2])
    event = max(events, key=lambda e: e["peak_score"])
    assert event["start_time"] == "2024-01-01T00:40"
    assert event["top_features"][0]["feature"] == "disk"
    assert not event["is_open"]


def test_the_state_carries_over_a_restart(run, folder, tmp_path):
    lines = (folder / "rows.csv").read_text().splitlines()
    state = tmp_path / "state.npz"
    first = run("\n".join(lines[:43]), "--state", state)
    assert_same_scores(first[1], folder, slice(0, 42))
    second = run("\n".join([lines[0], *lines[41:]]), "--state", state)  # one row comes twice
    assert second[0] == 0
    assert_same_scores(second[1], folder, slice(42, None))
    assert "1 doubled" in second[2]
    code, _, err = run("\n".join(lines), "--state", state, "--delayed")
    assert code == EXIT_BAD_INPUT
    assert "saved with other settings" in err


def test_settings_reach_the_stream(run, folder, tmp_path):
    text = (folder / "rows.csv").read_text()
    _, plain, _ = run(text)
    _, moving, _ = run(text, "--recalibration-span", 5)
    assert frame(plain)["anomaly_score"].tolist() == frame(moving)["anomaly_score"].tolist()
    assert frame(plain)["is_anomaly"].tolist() != frame(moving)["is_anomaly"].tolist()
    assert "1 gaps" not in run(text)[2]
    lines = text.splitlines()
    del lines[50:60]
    assert "1 gaps" in run("\n".join(lines), "--max-gap", 90)[2]


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("cpu,memory\n1,2\n", (), "lacks disk, net"),
        ("1,2,3\n", ("--hysteresis", "2"), "hysteresis is 2"),
        ("1,2,3\n", ("--max-gap", "0"), "max_gap is 0"),
        ("1,2,3\n", ("--time-column", "when"), "holds numbers"),
        ("1,2,3\n", ("--events", "/dev/null/x"), "cannot write"),
    ],
)
def test_bad_input_is_one_line(run, text, flags, message):
    code, _, err = run(text, *flags, "--quiet")
    assert code == EXIT_BAD_INPUT
    assert message in err
    assert err.count("\n") == 1


def test_no_input_is_no_error(run):
    code, out, err = run("")
    assert code == 0
    assert out == "time,anomaly_score,is_anomaly\n"
    assert "0 rows" in err


def test_lines_come_whole_however_the_bytes_are_cut():
    read, write = os.pipe()
    text = "eins\nzwölf\n\nlast"
    for byte in text.encode():
        os.write(write, bytes([byte]))
    os.close(write)
    with os.fdopen(read, "rb") as file:
        lines = [line for part in iterate_lines(file.fileno()) for line in part]
    assert lines == text.split("\n")


def start(folder, *flags):
    return subprocess.Popen(
        [sys.executable, "-m", "tsad_keras", "stream", "--export-dir", folder / "model", *flags],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, EXIT_INTERRUPTED), (signal.SIGINT, EXIT_INTERRUPTED)]
)
def test_each_row_is_answered_at_once_and_a_signal_ends_it_cleanly(folder, tmp_path, number, code):
    lines = (folder / "rows.csv").read_bytes().splitlines(keepends=True)
    state = tmp_path / "state.npz"
    process = start(folder, "--state", state)
    answers = []
    assert process.stdout.readline().startswith(b"time,")
    process.stdin.write(lines[0])
    for line in lines[1:31]:  # each is written only when the one before has been answered
        process.stdin.write(line)
        process.stdin.flush()
        answers.append(process.stdout.readline().decode())
    process.send_signal(number)
    out, err = process.communicate()
    assert out == b""
    assert process.returncode == code
    assert b"Traceback" not in err
    assert_same_scores("time,anomaly_score,is_anomaly\n" + "".join(answers), folder, slice(0, 30))
    assert state.is_file()


def test_a_reader_that_goes_away_is_no_error(folder):
    process = start(folder)
    process.stdout.readline()
    process.stdout.close()
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write((folder / "rows.csv").read_bytes() * 50)
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    assert process.wait() == 0
    assert b"Traceback" not in process.stderr.read()


def test_streaming_an_export_needs_no_keras(folder):
    code = (
        "import sys\nsys.modules['keras'] = None\n"  # as if it were not installed
        "from tsad_keras.cli import main\n"
        f"sys.exit(main(['stream', '--export-dir', {str(folder / 'model')!r}]))\n"
    )
    with (folder / "rows.csv").open("rb") as rows:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=rows, capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    assert_same_scores(done.stdout, folder, of_export=True)
