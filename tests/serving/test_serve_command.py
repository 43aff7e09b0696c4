"""The command itself, in a process of its own."""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import tsad_keras
from tsad_keras.commands.servers import read_token
from tsad_keras.errors import InputError
from tsad_keras.serving import run

ROOT = Path(tsad_keras.__file__).parents[1]


def start(arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "tsad_keras", "serve", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def port_of(process):
    for line in process.stdout:
        if found := re.fullmatch(r"serving http://127\.0\.0\.1:(\d+)/v1/models/mine\n", line):
            return int(found[1])
    raise AssertionError(process.stderr.read())


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    return response.status, json.loads(response.read())


@pytest.fixture
def without_keras(tmp_path):
    """A folder for PYTHONPATH whose `keras` cannot be imported; TensorFlow tries to and shrugs."""
    (tmp_path / "path" / "keras").mkdir(parents=True)
    refusal = "raise ImportError('Keras was imported')\n"
    (tmp_path / "path" / "keras" / "__init__.py").write_text(refusal)
    return str(tmp_path / "path")


def test_it_serves_without_keras_and_ends_when_told_to(
    export_dir, without_keras, tiny_detector, make_series
):
    process = start(["--export-dir", export_dir, "--port", 0], PYTHONPATH=without_keras)
    try:
        port = port_of(process)
        assert ask(port, "GET", "/healthz")[0] == 200
        series = make_series(30_000, seed=40)
        body = {"signature_name": "score_series", "inputs": series.tolist()}
        with ThreadPoolExecutor(1) as pool:
            pending = pool.submit(ask, port, "POST", "/v1/models/mine:predict", body)
            wait_for_the_model(port)
            process.send_signal(signal.SIGTERM)
            status, answer = pending.result(60)
        assert status == 200
        np.testing.assert_allclose(
            answer["outputs"]["anomaly_score"], tiny_detector.decision_function(series), 1e-5, 1e-5
        )
        assert process.wait(60) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


def wait_for_the_model(port):
    """Returns when the request has been read: it is in flight from then on."""
    for _ in range(2000):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        if re.search(r"^tsad_bodies_total [1-9]", text, re.MULTILINE):
            return
    raise AssertionError("the request never came")


def test_what_keeps_it_from_starting_is_one_line(export_dir, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(["--export-dir", export_dir, "--port", port])
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert re.fullmatch(
        rf"tsad-keras serve: error: cannot listen on 127\.0\.0\.1, port {port}: .*--port.*\n",
        errors,
    )
    assert output == ""


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"port": 70_000}, "--port is 70000, expected at most 65535"),
        ({"port": -1}, "--port is -1, expected 0 or more"),
        ({"poll_seconds": 0.0}, "--poll-seconds is 0.0, expected 0.001 or more"),
        ({"max_body_mb": float("nan")}, "--max-body-mb is nan"),
        ({"stream_expiry": float("inf")}, "--stream-expiry is inf"),
    ],
)
def test_settings_are_checked(arguments, text):
    from tsad_keras.serving.settings import ServingSettings

    with pytest.raises(InputError, match=re.escape(text)):
        ServingSettings(**arguments)


def test_flags_and_settings_agree():
    import dataclasses

    from tsad_keras.cli import build_parser
    from tsad_keras.serving.settings import ServingSettings

    given = vars(build_parser().parse_args(["serve", "--export-dir", "x"]))
    fields = {field.name: field.default for field in dataclasses.fields(ServingSettings)}
    shared = given.keys() & fields.keys()
    assert len(shared) == 10
    assert {name: given[name] for name in shared} == {name: fields[name] for name in shared}


@pytest.mark.parametrize("name", ["a:b", "a/b"])
def test_a_name_that_no_path_can_hold(export_dir, name):
    from tsad_keras.serving.settings import ServingSettings

    with pytest.raises(InputError, match="pass --model-name"):
        run.serve(export_dir, ServingSettings(), model_name=name, on_start=print)


def test_an_unknown_host():
    with pytest.raises(InputError, match="cannot listen on 192.0.2.1, port 0"):
        run.bound_socket("192.0.2.1", 0)


def test_token_comes_from_a_file_or_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("TSAD_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("TSAD_TOKEN", "from-environment")
    assert read_token(None) == "from-environment"
    path = tmp_path / "token"
    path.write_text("from-file\n")
    assert read_token(str(path)) == "from-file"
    for content in ("", " \n", "two words", "ünicode"):
        path.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match="holds no token"):
            read_token(str(path))
    with pytest.raises(InputError, match="cannot be read"):
        read_token(str(tmp_path / "none"))


def test_a_missing_extra_is_one_line(monkeypatch):
    import argparse
    import importlib.util

    from tsad_keras.commands import servers

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name)
    )
    with pytest.raises(InputError, match=r"needs uvicorn; install: pip install -e '\.\[serve"):
        servers.serve(argparse.Namespace())
