"""Workers that live for many tasks; one that dies is replaced, and its task tried once more."""

from __future__ import annotations

import dataclasses
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from tsad_keras.children import Child, ChildDiedError

_ATTEMPTS = 2  # a second death at the same task is the task's fault
_TASKS_A_WORKER = 100  # then a fresh one: what libraries forget to give back stays bounded


@dataclasses.dataclass
class _Entry:
    task: dict[str, Any]
    deaths: int = 0


def run_pool(
    module: str,
    tasks: Iterable[dict[str, Any]],
    jobs: int,
    on_answer: Callable[[dict[str, Any], dict[str, Any]], None],
) -> None:
    """Gives each task to a worker, which answers with one JSON object.

    Args:
        module: What the workers run: it takes `children.tasks` and answers each.
        tasks: JSON-serialisable.
        jobs: Workers at a time, with a thread each.
        on_answer: Is given a task and its answer, one at a time; `{"error": text}` if its worker
            died twice. An interruption ends all workers.
    """
    pool = _Pool(module, tasks, on_answer)
    count = min(jobs, len(pool.waiting))
    with ThreadPoolExecutor(max(1, count)) as threads:
        futures = [threads.submit(pool.work) for _ in range(count)]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            pool.stop()
            raise


class _Pool:
    def __init__(
        self,
        module: str,
        tasks: Iterable[dict[str, Any]],
        on_answer: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        self.waiting = deque(_Entry(task) for task in tasks)
        self._module = module
        self._on_answer = on_answer
        self._lock = threading.Lock()
        self._running: set[Child] = set()
        self._stopped = False

    def work(self) -> None:
        """Takes tasks until none waits, with one worker after another."""
        while entry := self._next():
            with Child(self._module) as child:
                self._start(child)
                self._serve(child, entry)
                with self._lock:
                    self._running.discard(child)

    def stop(self) -> None:
        """Ends all workers at once."""
        with self._lock:
            self._stopped = True
            for child in self._running:
                child.process.kill()

    def _next(self) -> _Entry | None:
        with self._lock:
            return None if self._stopped or not self.waiting else self.waiting.popleft()

    def _start(self, child: Child) -> None:
        with self._lock:
            self._running.add(child)
            if self._stopped:
                child.process.kill()

    def _serve(self, child: Child, entry: _Entry | None) -> None:
        """Hands tasks to one worker until it dies, has had enough, or none waits."""
        answers = child.answers()
        for _ in range(_TASKS_A_WORKER):
            child.send(entry.task)
            try:
                answer = next(answers, {"error": "its process ended without an answer"})
            except ChildDiedError as error:
                entry.deaths += 1
                self._after_death(entry, str(error))
                return
            self._tell(entry, answer)
            entry = self._next()
            if entry is None:
                return
        with self._lock:
            self.waiting.appendleft(entry)

    def _after_death(self, entry: _Entry, reason: str) -> None:
        if entry.deaths < _ATTEMPTS:
            with self._lock:
                self.waiting.append(entry)  # last, so that it holds nobody up
        else:
            self._tell(entry, {"error": reason})

    def _tell(self, entry: _Entry, answer: dict[str, Any]) -> None:
        with self._lock:
            if not self._stopped:
                self._on_answer(entry.task, answer)
