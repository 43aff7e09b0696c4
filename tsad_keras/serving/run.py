"""Runs the server: its socket, its signals, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from tsad_keras.errors import InputError
from tsad_keras.serving.app import create_app
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.settings import ServingSettings
from tsad_keras.serving.versions import VersionManager, tidy_memory

logger = logging.getLogger(__name__)

# Python's default of 5 ms is what the model's threads would wait for their turn, several times a
# pass, while the event loop reads requests.
_SWITCH_SECONDS = 0.0005
_KEEP_ALIVE_SECONDS = 75  # longer than clients and proxies wait, so that they close first


class Server(uvicorn.Server):
    """uvicorn's server that says when it accepts and leaves signals to `serve`.

    Args:
        config: uvicorn's.
        on_start: Called once connections are accepted.
    """

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn would end the process by the signal again, not with exit code 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_start()


def serve(
    export_dir: Path,
    settings: ServingSettings,
    *,
    model_name: str | None = None,
    token: str | None = None,
    on_start: Callable[[str], None],
) -> None:
    """Serves until SIGINT or SIGTERM, then finishes what is in flight.

    Args:
        export_dir: Folder of the versions.
        settings: Limits and places.
        model_name: By default the folder's name.
        token: What clients must send; None = nothing.
        on_start: Called with the URL of the model once connections are accepted.

    Raises:
        InputError: If there is no version to serve, or the address cannot be had.
    """
    name = checked_name(model_name or export_dir.absolute().name)
    with bound_socket(settings.host, settings.port) as listener:
        metrics = Metrics()
        manager = VersionManager(
            export_dir,
            name,
            num_versions=settings.num_versions,
            poll_seconds=settings.poll_seconds,
            metrics=metrics,
        )
        manager.start()
        url = f"http://{_address(listener)}/v1/models/{name}"
        config = _uvicorn_config(create_app(manager, metrics, settings, token), settings)
        server = Server(config, lambda: on_start(url))
        sys.setswitchinterval(_SWITCH_SECONDS)
        tidy_memory()
        try:
            asyncio.run(_run(server, listener))
        finally:
            manager.stop()


def checked_name(name: str) -> str:
    """Returns a model's name.

    Raises:
        InputError: If it cannot stand in a path.
    """
    if not name or "/" in name or ":" in name:
        raise InputError(
            f"the model would be called {name!r}, expected a name without / and : in it; pass "
            "--model-name"
        )
    return name


def _uvicorn_config(app: FastAPI, settings: ServingSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
    )


async def _run(server: Server, listener: socket.socket) -> None:
    if threading.current_thread() is threading.main_thread():
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # not on this system
                loop.add_signal_handler(number, _stop, server)
    await server.serve([listener])


def _stop(server: Server) -> None:
    """Once: finish what is in flight. Twice: at once."""
    server.force_exit = server.should_exit
    server.should_exit = True


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket with the address, not listening yet.

    Raises:
        InputError: If the address is unknown or taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unbound(host, port, error) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _unbound(host, port, error) from error
    return listener


def _unbound(host: str, port: int, error: OSError) -> InputError:
    return InputError(
        f"cannot listen on {host}, port {port}: {error.strerror or error}; pass another --port or "
        "--host"
    )


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
