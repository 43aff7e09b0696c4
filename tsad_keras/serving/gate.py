"""Around every request: the token, the count, and an answer whatever happens."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
import time
from typing import Any

from starlette.requests import ClientDisconnect

from tsad_keras.serving.answers import RequestError
from tsad_keras.serving.metrics import Metrics

logger = logging.getLogger(__name__)

_OPEN_PATHS = ("/healthz",)  # whoever watches the server need not know the token
_ENDPOINT = re.compile(r"(?::(\w+)|/(metadata|info|streams|healthz|metrics)(?:/.*)?)$")


class Gate:
    """ASGI middleware.

    Args:
        app: What it stands in front of.
        metrics: Where requests are counted.
        token: What `Authorization: Bearer` must hold; None = nothing.
    """

    def __init__(self, app: Any, metrics: Metrics, token: str | None) -> None:
        self._app = app
        self._metrics = metrics
        self._token = None if token is None else token.encode()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
                return
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0

        async def counting_send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            handler = self._app if refusal is None else refusal.response()
            await handler(scope, receive, counting_send)
        except ClientDisconnect:
            status = status or 499
        except asyncio.CancelledError:
            status = status or 499
            raise
        except Exception:
            logger.exception("a defect while answering %s %s", scope["method"], scope["path"])
            if not status:
                failure = RequestError(500, "Internal: a defect of the server; its log says more")
                await failure.response()(scope, receive, counting_send)
        finally:
            endpoint = endpoint_of(scope["path"])
            self._metrics.requests.labels(endpoint, str(status)).inc()
            self._metrics.seconds.labels(endpoint).observe(time.perf_counter() - started)

    def _refusal(self, scope: dict[str, Any]) -> RequestError | None:
        if self._token is None or scope["path"] in _OPEN_PATHS:
            return None
        given = next((v for k, v in scope["headers"] if k == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        # The comparison takes the same time wherever the first difference is.
        if hmac.compare_digest(token.strip(), self._token) and scheme.lower() == b"bearer":
            return None
        return RequestError(
            401,
            "Unauthenticated: expected the header 'Authorization: Bearer TOKEN' with the server's "
            "token",
            {"WWW-Authenticate": "Bearer"},
        )


def endpoint_of(path: str) -> str:
    """The few words by which requests are counted; a stranger's paths must not make new ones."""
    found = _ENDPOINT.search(path)
    if found is None:
        return "status" if path.startswith("/v1/models/") else "other"
    word = found.group(1) or found.group(2)
    known = ("predict", "append", "metadata", "info", "streams", "healthz", "metrics")
    return word if word in known else "other"
