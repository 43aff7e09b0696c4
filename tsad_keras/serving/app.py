"""The routes: TensorFlow Serving's REST paths for one model, streams, health and metrics."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from fastapi import FastAPI
from starlette.convertors import Convertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from tsad_keras.serving.answers import RequestError, bad_request, json_response
from tsad_keras.serving.batching import Batcher
from tsad_keras.serving.body import BodyReader
from tsad_keras.serving.gate import Gate
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.npy import MEDIA_TYPE
from tsad_keras.serving.settings import ServingSettings
from tsad_keras.serving.signatures import DEFAULT_SIGNATURE, answer, read_array, read_predict
from tsad_keras.serving.streams import StreamRegistry, check_stream_id, read_append
from tsad_keras.serving.versions import VersionManager

_WATCH_SECONDS = 0.25  # a request that takes longer is watched for its client's leaving
_MODEL = "/v1/models/{name:segment}"
_VERSION = _MODEL + "/versions/{version:version}"


class _Segment(Convertor[str]):
    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


class _Version(Convertor[int]):
    regex = "[0-9]{1,19}"

    def convert(self, value: str) -> int:
        return int(value)

    def to_string(self, value: int) -> str:
        return str(value)


register_url_convertor("segment", _Segment())
register_url_convertor("version", _Version())


def create_app(
    manager: VersionManager,
    metrics: Metrics,
    settings: ServingSettings,
    token: str | None = None,
) -> FastAPI:
    """Makes the application.

    Args:
        manager: With the loaded versions; its thread is started by whoever calls.
        metrics: Shared with the manager.
        settings: Limits.
        token: What clients must send; None = nothing.

    Returns:
        An ASGI application. `state.handlers` has the batcher and the streams.
    """
    handlers = Handlers(manager, metrics, settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        sweeper = asyncio.create_task(handlers.sweep())
        try:
            yield
        finally:
            sweeper.cancel()
            await asyncio.to_thread(handlers.batcher.close)

    app = FastAPI(
        lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False
    )
    app.state.handlers = handlers
    for path, method, handler in handlers.routes():
        app.add_route(path, handler, methods=[method])
    app.add_exception_handler(RequestError, _refused)
    app.add_exception_handler(HTTPException, _unknown_path)
    app.add_middleware(Gate, metrics=metrics, token=token)
    return app


async def _refused(_: Request, error: Exception) -> Response:
    return error.response()


async def _unknown_path(request: Request, _: Exception) -> Response:
    path = request.url.path
    return RequestError(404, f"Malformed request: {request.method} {path[:200]}").response()


class Handlers:
    """What each route does.

    Args:
        manager: With the loaded versions.
        metrics: Counters.
        settings: Limits.
    """

    def __init__(
        self, manager: VersionManager, metrics: Metrics, settings: ServingSettings
    ) -> None:
        self.manager = manager
        self.metrics = metrics
        self.settings = settings
        self.batcher = Batcher(
            settings.max_batch_size, settings.queue_size, settings.model_threads, metrics
        )
        self.streams = StreamRegistry(
            self.batcher,
            metrics,
            max_streams=settings.max_streams,
            expiry=settings.stream_expiry,
        )
        self._bodies = BodyReader(settings)

    def routes(self) -> list[tuple[str, str, Callable[[Request], Awaitable[Response]]]]:
        """Path, method and handler of each route."""
        stream = _MODEL + "/streams/{stream}"
        routes = [  # they are tried in this order
            (_MODEL + ":predict", "POST", self.predict),
            (_VERSION + ":predict", "POST", self.predict),
            (stream + ":append", "POST", self.append),
            (stream, "GET", self.stream_status),
            (stream, "DELETE", self.delete_stream),
            ("/healthz", "GET", self.health),
            ("/metrics", "GET", self.show_metrics),
        ]
        for base in (_MODEL, _VERSION):
            routes += [
                (base + ":classify", "POST", self.only_predict),
                (base + ":regress", "POST", self.only_predict),
                (base, "GET", self.status),
                (base + "/metadata", "GET", self.metadata),
                (base + "/info", "GET", self.info),
            ]
        return routes

    # --- TensorFlow Serving's --------------------------------------------------------------------

    async def predict(self, request: Request) -> Response:
        model = self._model(request)
        body = await self._read(request)
        if request.headers.get("content-type") == MEDIA_TYPE:
            name = request.query_params.get("signature_name", DEFAULT_SIGNATURE)
            asked = read_array(body, name, model.signatures, self.settings.max_rows)
        else:
            asked = read_predict(body, model.signatures, self.settings.max_rows)
        del body
        job = self.batcher.predict(model, asked.signature.name, asked.values)
        outputs = await self._result(request, job)
        self.metrics.rows.labels("predict").inc(asked.num_rows)
        return json_response(answer(asked, outputs))

    async def only_predict(self, request: Request) -> Response:
        self._model(request)
        method = request.url.path.rpartition(":")[2]
        raise bad_request(
            f"Expected signature method_name to be tensorflow/serving/{method}. Was: "
            "tensorflow/serving/predict"
        )

    async def status(self, request: Request) -> Response:
        parameters = request.path_params
        return json_response(self.manager.status(parameters["name"], parameters.get("version")))

    async def metadata(self, request: Request) -> Response:
        model = self._model(request)
        kind = "type.googleapis.com/tensorflow.serving.SignatureDefMap"
        signature_def = {"@type": kind, "signature_def": model.signature_defs}
        return json_response(
            {
                "model_spec": {
                    "name": self.manager.name,
                    "signature_name": "",
                    "version": str(model.version),
                },
                "metadata": {"signature_def": signature_def},
            }
        )

    # --- this project's --------------------------------------------------------------------------

    async def info(self, request: Request) -> Response:
        return json_response(self._model(request).info)

    async def append(self, request: Request) -> Response:
        model = self._model(request)
        check_stream_id(request.path_params["stream"])
        body = await self._read(request)
        rows, timestamps = read_append(body, model, self.settings.max_rows)
        result = await self.streams.append(request.path_params["stream"], model, rows, timestamps)
        self.metrics.rows.labels("append").inc(len(rows))
        return json_response(result)

    async def stream_status(self, request: Request) -> Response:
        self._model(request)
        return json_response(await self.streams.status(request.path_params["stream"]))

    async def delete_stream(self, request: Request) -> Response:
        self._model(request)
        self.streams.delete(request.path_params["stream"])
        return json_response({"deleted": request.path_params["stream"]})

    async def health(self, _: Request) -> Response:
        versions = [str(version) for version in self.manager.versions]
        if not versions:
            return json_response({"status": "no version answers", "versions": []}, 503)
        return json_response({"status": "ok", "model": self.manager.name, "versions": versions})

    async def show_metrics(self, _: Request) -> Response:
        return Response(self.metrics.text(), headers={"content-type": self.metrics.content_type})

    async def sweep(self) -> None:
        """Drops streams whose time is over, for ever."""
        while True:
            await asyncio.sleep(min(10.0, self.settings.stream_expiry / 2))
            self.streams.expire()

    # --- inside ----------------------------------------------------------------------------------

    def _model(self, request: Request) -> Any:
        parameters = request.path_params
        return self.manager.get(parameters["name"], parameters.get("version"))

    async def _read(self, request: Request) -> bytes:
        body = await self._bodies.read(request)
        self.metrics.bodies.inc()
        return body

    async def _result(self, request: Request, job: Any) -> dict[str, Any]:
        """Waits for a job; if its client leaves before it is taken, it is never run."""
        loop = asyncio.get_running_loop()
        watcher: list[asyncio.Task] = []

        def watch() -> None:
            watcher.append(loop.create_task(_abandon(request, job)))

        timer = loop.call_later(_WATCH_SECONDS, watch)
        try:
            return await job.future
        except asyncio.CancelledError:
            if job.abandoned:
                raise ClientDisconnect from None
            job.abandoned = True
            raise
        finally:
            timer.cancel()
            for task in watcher:
                task.cancel()


async def _abandon(request: Request, job: Any) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    job.abandoned = True
    job.future.cancel()
