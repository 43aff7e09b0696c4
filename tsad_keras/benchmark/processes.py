"""Runs tasks in processes of their own, several at a time, one thread each."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import tsad_keras
from tsad_keras.benchmark.worker import Task
from tsad_keras.errors import InputError

Rows = list[dict[str, Any]]
# Seconds mean the same with any number of jobs, and sums come out in the same order.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


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
    root = str(Path(tsad_keras.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    environment = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        **os.environ,
        **dict.fromkeys(_THREADS, "1"),
        "PYTHONPATH": path,
    }
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", task.worker],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its children
        )
        started(process)
        try:
            # Left open: the child ends when it closes, which it does if this process is killed.
            process.stdin.write(json.dumps(dataclasses.asdict(task)).encode() + b"\n")
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                if "error" in answer:
                    raise TaskError(answer["error"])
                yield answer
            code = process.wait()
        except BrokenPipeError:  # it died before it had read its task
            code = process.wait()
        finally:
            process.kill()  # of no effect on one that has ended
            process.wait()
            process.stdout.close()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
        if code:
            errors.seek(0)
            lines = errors.read().decode("utf-8", "replace").strip().splitlines()
            raise TaskError(f"its process ended with code {code}: {lines[-1] if lines else '-'}")


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
