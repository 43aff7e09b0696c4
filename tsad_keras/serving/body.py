"""Reading a request's body within its limits."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from tsad_keras.serving.answers import RequestError
from tsad_keras.serving.settings import ServingSettings

_DRAINED_BODIES = 8  # of the largest size; a client that sends more finds the connection closed


class BodyReader:
    """Reads bodies and knows how much is being read at once.

    Args:
        settings: With the limits.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._limit = settings.max_body_bytes
        self._total_limit = settings.max_waiting_bodies * self._limit
        self._seconds = settings.body_seconds
        self._num_held = 0

    async def read(self, request: Request) -> bytes:
        """Returns the body.

        Raises:
            RequestError: 413 if it is larger than allowed, whether or not the client said so
                before; 503 if too much is being read at once; 408 if it takes too long.
            ClientDisconnect: If the client went away.
        """
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced[:20]) > self._limit:
            if request.headers.get("expect", "").lower() != "100-continue":
                await self._drain(request, 0)
            raise self._too_large()
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        try:
            return await asyncio.wait_for(self._rest(request, body), self._seconds)
        except asyncio.TimeoutError:
            raise RequestError(
                408,
                f"the body did not arrive within {self._seconds:g} s",
                {"Connection": "close"},
            ) from None

    async def _rest(self, request: Request, first: bytes) -> bytes:
        parts, size, held = [first], len(first), 0
        try:
            while True:
                self._num_held += size - held
                held = size
                if size > self._limit:
                    parts.clear()
                    await self._drain(request, size)
                    raise self._too_large()
                if self._num_held > self._total_limit:
                    raise RequestError(
                        503,
                        "Unavailable: too many large bodies at once; try again later",
                        {"Connection": "close", "Retry-After": "1"},
                    )
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if not message.get("more_body"):
                    if size > self._limit:
                        raise self._too_large()
                    return b"".join(parts)
        finally:
            self._num_held -= held

    async def _drain(self, request: Request, size: int) -> None:
        """Reads on without keeping anything: many clients look for an answer only afterwards."""
        while size <= _DRAINED_BODIES * self._limit:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return

    def _too_large(self) -> RequestError:
        return RequestError(
            413,
            f"the body is larger than {self._limit / 1e6:g} MB; send fewer rows at once",
            {"Connection": "close"},
        )
