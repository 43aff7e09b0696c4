"""Streams that clients append rows to: their state, its bound and its expiry."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from tsad_keras.errors import InputError
from tsad_keras.serving.answers import RequestError, bad_request, shorten
from tsad_keras.serving.batching import Batcher
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.models import LoadedModel
from tsad_keras.serving.tensors import Document
from tsad_keras.streaming.stream import StreamingDetector, StreamUpdate

_ID = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class _Stream:
    """One stream: its detector, whose turn it is, when it was last used."""

    def __init__(self, model: LoadedModel, now: float) -> None:
        self.model = model
        self.detector = StreamingDetector(model.detector)
        self.turn = asyncio.Lock()  # fair: appends take their turns in order of arrival
        self.num_waiting = 0
        self.last_used = now

    def move_to(self, model: LoadedModel) -> None:
        """Goes on with another version, with the context of the rows so far."""
        if model is not self.model:
            self.detector = self.detector.moved_to(model.detector)
            self.model = model


class StreamRegistry:
    """All streams of a server. Used by the event loop only, but for the scoring itself.

    Args:
        batcher: Whose thread scores.
        metrics: Where streams and rows are counted.
        max_streams: How many may be kept.
        expiry: Seconds without rows after which a stream is dropped.
        clock: Seconds, for tests.
    """

    def __init__(
        self,
        batcher: Batcher,
        metrics: Metrics,
        *,
        max_streams: int,
        expiry: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batcher = batcher
        self._metrics = metrics
        self._max_streams = max_streams
        self._expiry = expiry
        self._clock = clock
        self._streams: dict[str, _Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    async def append(
        self, stream_id: str, model: LoadedModel, rows: np.ndarray, timestamps: list[Any] | None
    ) -> dict[str, Any]:
        """Scores the next rows of a stream.

        Args:
            stream_id: Which, checked; a new one begins with its first rows.
            model: The version that shall score them.
            rows: `(num_rows, num_features)` float64, NaN where missing.
            timestamps: A number or text for each row, or None.

        Returns:
            The answer's content.

        Raises:
            RequestError: 429 if there are too many streams, 400 if the rows do not fit, 409 if the
                stream cannot go on with this version.
        """
        stream = self._get_or_begin(stream_id, model)
        stream.num_waiting += 1
        try:
            async with stream.turn:
                return await self._batcher.call(lambda: _append(stream, model, rows, timestamps))
        except InputError as error:
            raise bad_request(str(error)) from error
        finally:
            stream.num_waiting -= 1
            stream.last_used = self._clock()
            if not stream.num_waiting and not stream.detector.counts["rows"]:
                self._drop(stream_id, stream)  # it never began
            self._metrics.streams.set(len(self._streams))

    async def status(self, stream_id: str) -> dict[str, Any]:
        """What a stream has come to.

        Raises:
            RequestError: 404 if there is none.
        """
        stream = self._get(stream_id)
        async with stream.turn:  # not while rows are being scored
            event = stream.detector.open_event
            return {
                "stream": stream_id,
                "model_version": str(stream.model.version),
                "num_rows": stream.detector.counts["rows"],
                "counts": stream.detector.counts,
                "threshold": stream.detector.threshold_,
                "open_event": None if event is None else event.to_dict(),
                "idle_seconds": round(self._clock() - stream.last_used, 3),
            }

    def delete(self, stream_id: str) -> None:
        """Drops a stream.

        Raises:
            RequestError: 404 if there is none.
        """
        self._drop(stream_id, self._get(stream_id))

    def expire(self) -> int:
        """Drops the streams whose time is over; returns how many."""
        before = self._clock() - self._expiry
        old = [
            (stream_id, stream)
            for stream_id, stream in self._streams.items()
            if stream.last_used <= before and not stream.num_waiting
        ]
        for stream_id, stream in old:
            self._drop(stream_id, stream)
        self._metrics.expired_streams.inc(len(old))
        return len(old)

    def _get(self, stream_id: str) -> _Stream:
        check_stream_id(stream_id)
        self.expire()
        if stream_id not in self._streams:
            raise RequestError(404, f"Stream not found: {stream_id}")
        return self._streams[stream_id]

    def _get_or_begin(self, stream_id: str, model: LoadedModel) -> _Stream:
        stream = self._streams.get(stream_id)
        if stream is not None and (
            stream.num_waiting or self._clock() - stream.last_used < self._expiry
        ):
            return stream
        if stream is not None or len(self._streams) >= self._max_streams:
            self.expire()
        if len(self._streams) >= self._max_streams:
            raise RequestError(
                429,
                f"{len(self._streams)} streams are kept, as many as may; delete one or wait until "
                f"one expires ({self._expiry:g} s without rows)",
            )
        stream = self._streams[stream_id] = _Stream(model, self._clock())
        self._metrics.streams.set(len(self._streams))
        return stream

    def _drop(self, stream_id: str, stream: _Stream) -> None:
        if self._streams.get(stream_id) is stream:
            del self._streams[stream_id]
        self._metrics.streams.set(len(self._streams))


def check_stream_id(stream_id: str) -> None:
    """Raises `RequestError` unless it is a name that may be used."""
    if not _ID.fullmatch(stream_id):
        raise bad_request(
            f"stream ID {shorten(stream_id)!r}, expected 1 to 128 of the characters A-Z a-z 0-9 "
            "_ . -"
        )


def read_append(
    body: bytes, model: LoadedModel, max_rows: int
) -> tuple[np.ndarray, list[Any] | None]:
    """Reads the body of `:append`.

    Args:
        body: As it came: `rows`, and `timestamps` if there are any.
        model: The version that shall score them.
        max_rows: Rows that a request may hold.

    Returns:
        Rows `(num_rows, num_features)` float64 and the timestamps or None.

    Raises:
        RequestError: 400 or 413, with what is wrong and where.
    """
    document = Document(body, max_rows)
    members = document.members
    if "rows" not in members:
        raise bad_request("Missing 'rows' key")
    rows = document.array(members["rows"], "rows", np.float64)
    timestamps = None
    if members.get("timestamps") is not None:
        timestamps = document.texts_or_numbers(members["timestamps"], "timestamps")
    document.check_read({"rows": members["rows"]})
    width = len(model.detector.feature_names_)
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        raise bad_request(
            f"rows has shape {list(rows.shape)}, expected [at least 1, {width}]: a list of rows "
            f"with {width} features"
        )
    if len(rows) > max_rows:
        raise RequestError(413, f"{len(rows)} rows came, expected at most {max_rows}; send fewer")
    if np.isinf(rows).any():
        row, column = np.argwhere(np.isinf(rows))[0]
        raise bad_request(
            f"rows[{row}][{column}] is infinite, expected a finite number, or NaN where missing"
        )
    return rows, timestamps


def _append(
    stream: _Stream, model: LoadedModel, rows: np.ndarray, timestamps: list[Any] | None
) -> dict[str, Any]:
    """Runs on the model's thread."""
    if not model.is_retired:  # else it waited while a newer one came
        try:
            stream.move_to(model)
        except InputError as error:
            raise RequestError(
                409,
                f"the stream cannot go on with version {model.version} ({error}); delete it and "
                "begin again",
            ) from error
    first_row = stream.detector.counts["rows"]
    update: StreamUpdate = stream.detector.update(rows, timestamps)
    return {
        "anomaly_score": update.scores,
        "is_anomaly": update.alarms.astype(bool),
        "rows": update.rows,
        "first_row": first_row,
        "num_rows": stream.detector.counts["rows"],
        "model_version": str(stream.model.version),
        "events": [event.to_dict() for event in update.events],
        "counts": stream.detector.counts,
    }
