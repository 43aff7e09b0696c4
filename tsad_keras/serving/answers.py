"""What goes back: JSON answers, and refusals in TensorFlow Serving's form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

_OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class RequestError(Exception):
    """A request that is refused: the code and the one line of its `{"error": ...}` body.

    Args:
        status: The HTTP status code.
        message: What came, what was expected.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        # A lone surrogate is valid in JSON's escapes and cannot be written as UTF-8.
        line = message.encode("utf-8", "backslashreplace").decode("utf-8")
        self.message = " ".join(line.split())
        self.headers = dict(headers or {})

    def response(self) -> Response:
        return json_response({"error": self.message}, self.status, self.headers)


def bad_request(message: str) -> RequestError:
    return RequestError(400, message)


def json_response(
    content: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A response of anything that orjson takes, NumPy arrays included."""
    body = orjson.dumps(content, option=_OPTIONS)
    return Response(body, status, headers, media_type="application/json")


def shorten(text: object, length: int = 80) -> str:
    """A value as it may be repeated in a message: one line, bounded."""
    line = " ".join(str(text).split())
    return line if len(line) <= length else line[: length - 3] + "..."
