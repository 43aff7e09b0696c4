"""Two exported detectors, and servers on free loopback ports."""

import asyncio
import contextlib
import copy
import http.client
import json
import shutil
import threading
import time

import numpy as np
import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("orjson")
pytest.importorskip("prometheus_client")

import uvicorn

from tsad_keras.serving.app import create_app
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.run import Server, bound_socket
from tsad_keras.serving.settings import ServingSettings
from tsad_keras.serving.versions import VersionManager

NAME = "mine"


def wait_until(condition):
    """Looks again and again; for what has no event."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("waited for half a minute in vain")


class Held:
    """Keeps the model's threads busy until it is opened."""

    def __init__(self, server):
        self.server = server
        self._open = threading.Event()
        self._started = threading.Barrier(server.settings.model_threads + 1)

    def __enter__(self):
        batcher = self.server.handlers.batcher
        self._loop = asyncio.new_event_loop()
        for _ in range(self.server.settings.model_threads):
            self._loop.run_until_complete(self._put(batcher))
        self._started.wait(10)
        return self

    async def _put(self, batcher):
        def hold():
            self._started.wait(10)
            self._open.wait(30)

        batcher.call(hold)

    def wait_for_queue(self, length):
        """Returns once so many requests wait behind."""
        jobs = self.server.handlers.batcher._jobs
        wait_until(lambda: len(jobs) >= length)

    def open(self):
        self._open.set()

    def __exit__(self, *_):
        self.open()


class Running:
    """A server in a thread, and the simplest client of it."""

    def __init__(self, export_dir, token=None, name=NAME, **settings):
        self.settings = ServingSettings(port=0, **settings)
        self.metrics = Metrics()
        self.manager = VersionManager(
            export_dir,
            name,
            num_versions=self.settings.num_versions,
            poll_seconds=3600,  # tests call poll themselves
            metrics=self.metrics,
        )
        self.manager.start()
        self.app = create_app(self.manager, self.metrics, self.settings, token)
        self._socket = bound_socket("127.0.0.1", 0)
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        started = threading.Event()
        config = uvicorn.Config(
            self.app, log_config=None, access_log=False, timeout_graceful_shutdown=10
        )
        self._server = Server(config, started.set)
        serve = self._server.serve([self._socket])
        self._thread = threading.Thread(target=lambda: asyncio.run(serve), daemon=True)
        self._thread.start()
        assert started.wait(30)

    @property
    def handlers(self):
        return self.app.state.handlers

    def ask(self, method, path, body=None, headers=None):
        """Returns status, parsed JSON and headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, data, headers or {})
            response = connection.getresponse()
            text = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return response.status, json.loads(text) if is_json else text.decode(), response.headers

    def post(self, path, body, headers=None):
        """Posts to the model; returns status and JSON."""
        return self.ask("POST", f"/v1/models/{NAME}{path}", body, headers)[:2]

    def get(self, path, headers=None):
        return self.ask("GET", f"/v1/models/{NAME}{path}", None, headers)[:2]

    def metric(self, name):
        """The value of a line of `/metrics`."""
        text = self.ask("GET", "/metrics")[1]
        return next(float(r.split()[1]) for r in text.splitlines() if r.startswith(name + " "))

    def held(self):
        """A context in which requests queue."""
        return Held(self)

    wait_until = staticmethod(wait_until)

    def stop(self):
        self._server.should_exit = True
        self._thread.join(30)
        self.manager.stop()
        assert not self._thread.is_alive()


@pytest.fixture(scope="session")
def exports(tmp_path_factory, tiny_detector):
    """Folder with `1` and `2`, versions with different scores; copy what you change."""
    from tsad_keras.export.writer import export_saved_model

    folder = tmp_path_factory.mktemp("exports") / "both"
    other = copy.copy(tiny_detector)
    other.error_scale_ = tiny_detector.error_scale_ / 2
    export_saved_model(tiny_detector, folder)
    export_saved_model(other, folder)
    return folder


@pytest.fixture(scope="session")
def loaded(exports):
    """The two exports as the library loads them, by version."""
    from tsad_keras.inference.exported import load_export

    return {version: load_export(exports, version) for version in (1, 2)}


@pytest.fixture
def export_dir(exports, tmp_path):
    """A folder of its own with version 1."""
    folder = tmp_path / NAME
    shutil.copytree(exports / "1", folder / "1")
    return folder


@pytest.fixture
def add_version(exports, export_dir):
    """Function: adds a version all at once, as an export does."""

    def add(source, version):
        shutil.copytree(exports / str(source), export_dir / ".copy")
        (export_dir / ".copy").rename(export_dir / str(version))

    return add


@pytest.fixture
def serve(export_dir):
    """Function: settings to a running server of version 1; stopped at the end."""
    servers = []

    def start(**settings):
        servers.append(Running(export_dir, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def shared(exports, tmp_path_factory):
    """One server of version 1 for tests that change nothing."""
    folder = tmp_path_factory.mktemp("shared") / NAME
    shutil.copytree(exports / "1", folder / "1")
    server = Running(folder)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def windows(make_series):
    """`(6, 20, 3)` with two missing values."""
    values = np.stack([make_series(20, seed=seed) for seed in range(20, 26)])
    values[1, 3, 2] = values[4, 0, 0] = np.nan
    return values


@pytest.fixture(scope="session")
def series(make_series):
    """`(75, 3)` with a stretch of missing values and an anomaly."""
    values = make_series(75, seed=30)
    values[10:14, 1] = np.nan
    values[40:50, 0] += 8
    return values
