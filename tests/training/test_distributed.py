"""Two replicas learn what one learns; two processes agree to the last bit; one may be killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tsad_keras
from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays
from tsad_keras.training import Distribution, WorkerLostError
from tsad_keras.training.distributed import lost_worker_is_one_line, slices

SMALL = {
    **{"window-size": 20, "patch-size": 5, "score-stride": 10, "batch-size": 8},
    **{"hidden-dim": 16, "num-heads": 2, "intermediate-dim": 16, "discriminator-dim": 16},
    **{"epochs": 2, "steps-per-epoch": 6, "checkpoint-steps": 2, "gradient-clip-norm": 0.1},
}


@pytest.fixture(scope="module")
def train_file(make_series, tmp_path_factory):
    path = tmp_path_factory.mktemp("distributed") / "train.csv"
    pd.DataFrame(make_series(600), columns=["a", "b", "c"]).to_csv(path, index=False)
    return path


@pytest.fixture
def start(train_file):
    """Function: starts `train` in a process of its own; all are ended after the test."""
    processes = []

    def start(model_dir, *words, index=None, port=None, **settings):
        environment = {
            **os.environ,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONPATH": str(Path(tsad_keras.__file__).parents[1]),
            "TF_NUM_INTRAOP_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }
        if index is not None:
            cluster = {"worker": [f"127.0.0.1:{port}", f"127.0.0.1:{port + 1}"]}
            task = {"type": "worker", "index": index}
            environment["TF_CONFIG"] = json.dumps({"cluster": cluster, "task": task})
            words = ("--strategy", "multi-worker", *words)
        flags = {**SMALL, **settings}
        words += tuple(str(word) for name in flags for word in (f"--{name}", flags[name]))
        process = subprocess.Popen(
            [sys.executable, "-m", "tsad_keras", "train", "--train-file", str(train_file)]
            + ["--model-dir", str(model_dir), "--quiet", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def free_ports():
    """The first of two neighbouring free ports."""
    for port in range(20000 + os.getpid() % 10000, 60000, 2):
        with socket.socket() as one, socket.socket() as two:
            try:
                one.bind(("127.0.0.1", port))
                two.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no free port")


def ended(process):
    output, errors = process.communicate(timeout=400)
    return process.returncode, output, errors


def arrays(folder):
    return read_arrays(folder / "detector.npz")[0]


def assert_same_quality(folder, other, tolerance=1e-5):
    """Weights, calibration and losses are equal to rounding."""
    ours, theirs = arrays(folder), arrays(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_allclose(ours[name], theirs[name], atol=tolerance, rtol=1e-4)
    rows = [pd.read_csv(f / "history.csv").drop(columns="seconds") for f in (folder, other)]
    np.testing.assert_allclose(*rows, atol=tolerance, rtol=1e-5)


@pytest.mark.slow
def test_replicas_and_workers_learn_what_a_single_process_learns(start, tmp_path):
    single = start(tmp_path / "single")
    mirrored = start(tmp_path / "mirrored", "--strategy", "mirrored")
    for process in (single, mirrored):
        code, _, errors = ended(process)
        assert code == 0, errors
    assert_same_quality(tmp_path / "mirrored", tmp_path / "single")

    port = free_ports()
    workers = [start(tmp_path / "workers", index=index, port=port) for index in (0, 1)]
    answers = [ended(worker) for worker in workers]
    assert [code for code, _, _ in answers] == [0, 0], answers
    hashes = [output.split("weights: ")[1].split()[0] for _, output, _ in answers]
    assert hashes[0] == hashes[1]
    assert_same_quality(tmp_path / "workers", tmp_path / "single")
    names = sorted(path.name for path in (tmp_path / "workers").iterdir())
    assert names == ["config.json", "detector.npz", "history.csv"]


@pytest.mark.slow
def test_a_killed_worker_ends_the_other_and_the_same_commands_go_on(start, tmp_path):
    more = {"epochs": 40, "early-stopping-patience": 0}
    port = free_ports()
    workers = [start(tmp_path / "m", index=index, port=port, **more) for index in (0, 1)]
    checkpoint = tmp_path / "m" / "checkpoint.npz"
    while not checkpoint.exists():
        assert all(worker.poll() is None for worker in workers), [ended(w) for w in workers]
        time.sleep(0.05)
    workers[1].send_signal(signal.SIGKILL)
    code, output, errors = ended(workers[0])
    assert code == EXIT_BAD_INPUT and "model:" not in output
    assert "another worker was lost" in errors and "Traceback" not in errors
    assert checkpoint.exists() and not (tmp_path / "m" / "detector.npz").exists()

    step = read_arrays(checkpoint)[1]["state"]["step"]
    assert 0 < step < 240
    port = free_ports()
    workers = [start(tmp_path / "m", index=index, port=port, **more) for index in (0, 1)]
    answers = [ended(worker) for worker in workers]
    assert [code for code, _, _ in answers] == [0, 0], answers
    single = start(tmp_path / "single", **more)
    assert ended(single)[0] == 0
    history = pd.read_csv(tmp_path / "m" / "history.csv")
    assert list(history["epoch"]) == list(range(1, 41))  # none lost, none twice
    other = pd.read_csv(tmp_path / "single" / "history.csv")
    np.testing.assert_allclose(history.iloc[:20, 1:7], other.iloc[:20, 1:7], rtol=1e-3)


# --- in this process ------------------------------------------------------------------------------


def test_slices_are_parts_of_the_same_batches_in_their_order():
    batches = tf.data.Dataset.from_tensor_slices({"x": np.arange(48).reshape(2, 8, 3)})
    found = [batch["x"].numpy() for batch in slices(batches, 2, 2, 4)]
    expected = np.arange(48).reshape(2, 4, 2, 3)[:, 2:]
    np.testing.assert_array_equal(found, expected.reshape(4, 2, 3))


@pytest.mark.parametrize(
    ("words", "config", "message"),
    [
        (["--strategy", "multi-worker"], None, "TF_CONFIG is 'not set'"),
        (["--strategy", "multi-worker"], "{", "TF_CONFIG is '{'"),
        (
            ["--strategy", "multi-worker"],
            '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
            "index 1 of 1 workers",
        ),
        (
            ["--strategy", "multi-worker"],
            '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
            "expected workers only",
        ),
        (["--strategy", "multi-worker", "--replicas", "2"], None, "expected it with mirrored"),
        (["--replicas", "2"], None, "add --strategy mirrored"),
    ],
)
def test_flags_that_do_not_fit(words, config, message, train_file, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if config is not None:
        monkeypatch.setenv("TF_CONFIG", config)
    folder = tmp_path / "model"
    words = ["train", "--train-file", str(train_file), "--model-dir", str(folder), *words]
    assert main([*words, "--quiet"]) == EXIT_BAD_INPUT
    assert message in capsys.readouterr().err
    assert not folder.exists()


def test_replicas_must_be_made_before_tensorflow_computes():
    tf.constant(1.0)
    with pytest.raises(InputError, match="cannot make 3 replicas"):
        Distribution("mirrored", 3)


def test_a_batch_must_have_equal_slices():
    distribution = Distribution.__new__(Distribution)
    distribution.num_replicas = 3
    with pytest.raises(InputError, match="use --batch-size 9"):
        distribution.check_batch_size(8)
    distribution.check_batch_size(9)


def test_what_tensorflow_raises_for_a_lost_worker_is_one_line():
    match = "they go on from the last checkpoint"
    with pytest.raises(WorkerLostError, match=match) as error, lost_worker_is_one_line():
        raise tf.errors.UnavailableError(None, None, "Socket closed\nmore")
    assert "\n" not in str(error.value)
