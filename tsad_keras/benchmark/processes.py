"""Runs tasks in processes of their own, several at a time, one thread each."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from tsad_keras.benchmark.worker import Task
from tsad_keras.children import Child, ChildDiedError
from tsad_keras.errors import InputError

Rows = list[dict[str, Any]]


class TaskError(Exception):
    """A task that could not be finished; the message says why."""


def run_in_process(task: Task, started: Callable[[subprocess.Popen], None]) -> Iterator[Rows]:
    """Runs one task in a fresh interpreter.

    Args:
        task: What to run.
        started: Is given the process, so that others can stop it.

    Yields:
        The rows of each seed.

    Raises:
        TaskError: If the input was at fault or the process died.
    """
    with Child(task.worker) as child:
        started(child.process)
        child.send(dataclasses.asdict(task))
        try:
            for answer in child.answers():
                if "error" in answer:
                    raise TaskError(answer["error"])
                yield answer
        except ChildDiedError as error:
            raise TaskError(str(error)) from error


def run_tasks(
    tasks: Iterable[Task], jobs: int, on_rows: Callable[[Task, Rows], None]
) -> list[tuple[Task, str]]:
    """Runs all tasks, `jobs` at a time.

    Args:
        tasks: What to run.
        jobs: Processes at a time.
        on_rows: Is given the rows of each seed as soon as they are there, from any thread.

    Returns:
        The tasks that failed, each with its error. An interruption ends all processes.
    """
    tasks, failed = list(tasks), []
    lock, running, stopped = threading.Lock(), set(), threading.Event()

    def started(process: subprocess.Popen) -> None:
        with lock:
            running.add(process)
        if stopped.is_set():
            process.kill()

    def run(task: Task) -> None:
        if stopped.is_set():
            return
        try:
            for rows in run_in_process(task, started):
                on_rows(task, rows)
        except TaskError as error:
            if not stopped.is_set():
                failed.append((task, str(error)))

    with ThreadPoolExecutor(jobs) as pool:
        futures = [pool.submit(run, task) for task in tasks]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:
            stopped.set()
            with lock:
                for process in running:
                    process.kill()
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def run_here(
    tasks: Iterable[Task], jobs: int, on_rows: Callable[[Task, Rows], None]
) -> list[tuple[Task, str]]:
    """As `run_tasks`, but one after the other in this process: quick to start, for small data."""
    failed = []
    for task in tasks:
        try:
            for rows in importlib.import_module(task.worker).run_task(task):
                on_rows(task, rows)
        except InputError as error:
            failed.append((task, str(error)))
    return failed
