"""Requests of all connections share passes of the model.

A few threads run the model. While they are busy, requests queue; then all that wait for the same
version, signature and shape go through it together. Nobody ever waits for a batch to fill: alone, a
request goes at once, and the more come, the larger the batches get.

Two threads at least: while one has its turn in Python, between two passes, the other computes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from tsad_keras.serving.answers import RequestError
from tsad_keras.serving.metrics import Metrics
from tsad_keras.serving.models import LoadedModel

logger = logging.getLogger(__name__)


class _Job:
    """Something for a model thread, and the future of its result."""

    __slots__ = ("abandoned", "future", "key", "loop", "size", "work")

    def __init__(self, work: Any, key: Hashable, size: int) -> None:
        self.work = work
        self.key = key  # None: shares with nobody
        self.size = size  # windows' worth of work
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future = self.loop.create_future()
        self.abandoned = False


class Batcher:
    """The queue in front of the model and the threads behind it.

    Args:
        max_batch_size: Windows in one pass.
        queue_size: Requests that may wait.
        num_threads: Passes at a time.
        metrics: Where batches are counted.
    """

    def __init__(
        self, max_batch_size: int, queue_size: int, num_threads: int, metrics: Metrics
    ) -> None:
        self._max_batch_size = max_batch_size
        self._queue_size = queue_size
        self._metrics = metrics
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._closing = self._waking = False
        self._threads = [
            threading.Thread(target=self._serve, name=f"model-{index}", daemon=True)
            for index in range(num_threads)
        ]
        for thread in self._threads:
            thread.start()

    # --- called by the event loop ----------------------------------------------------------------

    def predict(self, model: LoadedModel, name: str, values: np.ndarray) -> _Job:
        """Queues the call of a signature; `job.future` gives its outputs by name.

        Args:
            model: The version.
            name: Of the signature.
            values: Its checked input.

        Raises:
            RequestError: 503 if too many wait already.
        """
        signature = model.signatures[name]
        num_rows = int(np.prod(values.shape[:-1]))
        size = -(-num_rows // signature.window_size)
        key = None if signature.is_series else (id(model), name, values.shape[1:])
        return self._put(_Job((model, name, values), key, size))

    def call(self, function: Callable[[], Any]) -> asyncio.Future:
        """Queues a function that uses the model; the future gives what it returns.

        Raises:
            RequestError: 503 if too many wait already.
        """
        return self._put(_Job(function, None, 1)).future

    def close(self) -> None:
        """Ends the threads once the queue is empty."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=10)

    def _put(self, job: _Job) -> _Job:
        with self._changed:
            if len(self._jobs) >= self._queue_size or self._closing:
                raise RequestError(
                    503,
                    f"Unavailable: {len(self._jobs)} requests wait for the model, as many as may; "
                    "try again later",
                    {"Retry-After": "1"},
                )
            self._jobs.append(job)
            self._metrics.queue_length.set(len(self._jobs))
        if not self._waking:  # idle threads wake when all requests that are here have been read
            self._waking = True
            job.loop.call_soon(self._wake)
        return job

    def _wake(self) -> None:
        self._waking = False
        with self._changed:
            self._changed.notify(len(self._threads))

    # --- the model threads -----------------------------------------------------------------------

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closing:
                    self._changed.wait()
                if not self._jobs:
                    return
                batch = self._take()
                self._metrics.queue_length.set(len(self._jobs))
            if batch:
                self._run(batch)

    def _take(self) -> list[_Job]:
        """Removes the first job and those that can share its pass, in order."""
        batch: list[_Job] = []
        others: list[_Job] = []
        size = 0
        while self._jobs:
            job = self._jobs.popleft()
            if job.abandoned:
                self._metrics.abandoned.inc()
            elif not batch:
                batch, size = [job], job.size
                if job.key is None:
                    break
            elif job.key == batch[0].key and size + job.size <= self._max_batch_size:
                batch.append(job)
                size += job.size
            else:
                others.append(job)
            if size >= self._max_batch_size:
                break
        self._jobs.extendleft(reversed(others))
        return batch

    def _run(self, batch: list[_Job]) -> None:
        try:
            results = [batch[0].work()] if callable(batch[0].work) else self._predict(batch)
        except Exception as error:
            if len(batch) == 1:
                self._deliver(batch, [error])
                return
            logger.warning("a pass shared by %d requests failed (%s)", len(batch), error)
            for job in batch:  # the one that caused it shall not take the others with it
                self._run([job])
        else:
            self._deliver(batch, results)

    def _predict(self, batch: list[_Job]) -> list[dict[str, np.ndarray]]:
        model, name, values = batch[0].work
        counts = [len(job.work[2]) for job in batch]
        if len(batch) > 1:
            values = np.concatenate([job.work[2] for job in batch])
        self._metrics.batch_requests.observe(len(batch))
        if model.signatures[name].is_series:
            self._metrics.batch_size.observe(1)
            return [self._timed(model, name, values)]
        # A large request goes in several passes, so that memory does not grow with it.
        windows_an_item = -(-values.shape[1] // model.signatures[name].window_size)
        step = max(1, self._max_batch_size // windows_an_item)
        passes = []
        for first in range(0, len(values), step):
            part = values[first : first + step]
            self._metrics.batch_size.observe(len(part))
            passes.append(self._timed(model, name, part))
        outputs = passes[0]
        if len(passes) > 1:
            outputs = {key: np.concatenate([made[key] for made in passes]) for key in outputs}
        ends = np.cumsum(counts)
        return [
            {key: value[end - count : end] for key, value in outputs.items()}
            for count, end in zip(counts, ends, strict=True)
        ]

    def _timed(self, model: LoadedModel, name: str, values: np.ndarray) -> dict[str, np.ndarray]:
        started = time.perf_counter()
        try:
            return model.run(name, values)
        finally:
            self._metrics.model_seconds.inc(time.perf_counter() - started)

    def _deliver(self, batch: list[_Job], results: list[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # the event loop is closed: nobody waits
            batch[0].loop.call_soon_threadsafe(_settle, batch, results)


def _settle(batch: list[_Job], results: list[Any]) -> None:
    for job, result in zip(batch, results, strict=True):
        if job.future.done():  # its client has gone
            continue
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
