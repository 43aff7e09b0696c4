"""TensorFlow's C++ loader, the one that TensorFlow Serving uses, without any Python."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.export.requests import SIGNATURES, bad_requests, difference

INVALID_ARGUMENT = 3  # the same number in gRPC
SOURCE = Path(__file__).with_name("saved_model_loader.cc")

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The compiled program."""
    library = Path(tf.sysconfig.get_lib())
    if not list(library.glob("libtensorflow_cc.so.2")):
        pytest.skip("this TensorFlow comes without libtensorflow_cc.so.2")
    path = tmp_path_factory.mktemp("loader") / "saved_model_loader"
    command = ["g++", "-O1", "-std=c++17", "-w", str(SOURCE), "-o", str(path)]
    command += [f"-I{tf.sysconfig.get_include()}", f"-L{library}", f"-Wl,-rpath,{library}"]
    command += ["-Wl,--no-as-needed", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run(command, check=True, timeout=600)
    return path


def ask(program, directory, requests):
    """Runs `(signature, values)` in one process; each answer is a dict of outputs or a code."""
    sent = b""
    for signature, values in requests:
        words = [signature, SIGNATURES[signature][0], values.ndim, *values.shape]
        sent += " ".join(map(str, words)).encode() + b"\n" + values.astype(np.float32).tobytes()
    done = subprocess.run(
        [program, directory], input=sent, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    rest, answers = done.stdout, []
    for _ in requests:
        line, _, rest = rest.partition(b"\n")
        kind, number, *message = line.decode().split(" ")
        if kind == "error":
            answers.append((int(number), " ".join(message)))
            continue
        outputs = {}
        for _ in range(int(number)):
            line, _, rest = rest.partition(b"\n")
            name, _, *shape = line.decode().split(" ")
            shape = tuple(map(int, shape))
            size = 4 * int(np.prod(shape))
            outputs[name] = np.frombuffer(rest[:size], np.float32).reshape(shape)
            rest = rest[size:]
        answers.append(outputs)
    assert rest == b""
    return answers


@pytest.mark.parametrize("kind", ["combined", "default"])
def test_scores_equal_those_of_the_detector(kind, program, request, make_values):
    prefix = "default_" if kind == "default" else ""
    detector = request.getfixturevalue("default_detector" if prefix else "tiny_detector")
    directory = request.getfixturevalue(f"{prefix}exported")
    many = [("score_series", make_values(detector, n, seed=n)) for n in (20, 21, 39, 40, 333)]
    for count in (1, 3, 7):
        windows = make_values(detector, count, 20, seed=count)
        many += [(name, windows) for name in ("serving_default", "score_windows", "reconstruct")]
        many.append(("score_batch", make_values(detector, count, 47, seed=count)))
    many.append(("score_series", np.full((40, 3), np.nan, np.float32)))
    for (name, values), outputs in zip(many, ask(program, directory, many), strict=True):
        assert set(outputs) == set(SIGNATURES[name][2]), outputs
        assert {len(value) for value in outputs.values()} == {len(values)}
        batch = values[None] if name == "score_series" else values
        if name == "reconstruct":
            realism = [detector.components(window)["realism"][0] for window in batch]
            assert difference(outputs["realism"], np.array(realism)) < 1e-5
            continue
        scores = np.stack([detector.decision_function(series) for series in batch])
        alarms = np.stack([detector.predict(series) for series in batch])
        assert difference(outputs["anomaly_score"].reshape(scores.shape), scores) < 1e-5
        np.testing.assert_array_equal(outputs["is_anomaly"].reshape(alarms.shape), alarms)
        if name == "score_series":
            assert difference(outputs["contribution"], detector.explain(values)) < 1e-5


def test_wrong_requests_get_invalid_argument_and_the_next_one_an_answer(program, exported):
    bad = [(request.signature, request.values) for request in bad_requests(20, 3)]
    good = ("score_series", np.zeros((20, 3), np.float32))
    answers = ask(program, exported, [*bad, good])
    assert [answer[0] for answer in answers[:-1]] == [INVALID_ARGUMENT] * len(bad)
    assert "series has the wrong number of time steps" in answers[0][1]
    assert "series has the wrong number of features, expected 3" in answers[2][1]
    assert answers[-1]["anomaly_score"].shape == (20,)


def test_what_is_no_export_is_said(program, tmp_path):
    done = subprocess.run([program, tmp_path], capture_output=True, check=False)
    assert done.returncode == 1 and b"Could not find SavedModel" in done.stderr
