"""Tasks on Dask distributed: worker processes here, or those of a scheduler somewhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import tsad_keras
from tsad_keras.engines.work import ScoreTask, run_task
from tsad_keras.errors import InputError
from tsad_keras.starting import quiet_start

logger = logging.getLogger(__name__)

_CONNECT_SECONDS = 20
_WORKER_SECONDS = 60
# Ctrl-C is for the parent, which then ends its workers; Dask takes the text of a script.
_IGNORE_INTERRUPTS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"


def run_on_dask(
    tasks: Sequence[ScoreTask],
    *,
    scheduler: str = "local",
    num_workers: int | None = None,
    on_answer: Callable[[dict[str, Any]], None] = lambda answer: None,
) -> list[dict[str, Any]]:
    """Runs tasks on the workers of a Dask cluster.

    A task whose worker dies is given to another one, up to three times; as outputs appear whole and
    hold what their input says, it does not matter how far the dead worker had come.

    Args:
        tasks: What to run.
        scheduler: `"local"` starts worker processes here, for this run; else the address of a
            scheduler, such as `tcp://10.0.0.7:8786`, whose workers see the same files.
        num_workers: Local worker processes; default one a core.
        on_answer: Is given the answer of each task when it comes.

    Returns:
        The answers of `run_task`, in the order in which they came.

    Raises:
        InputError: If Dask is not installed, or no scheduler or no worker answers.
    """
    answers = []
    with _client(scheduler, num_workers) as client:
        from distributed import as_completed

        futures = client.map(_on_worker, tasks, pure=False, key="tsad-keras-score")
        sources = {future.key: task.source for future, task in zip(futures, tasks, strict=True)}
        for future in as_completed(futures):
            answers.append(_answer(future, sources[future.key]))
            on_answer(answers[-1])
    return answers


def _on_worker(task: ScoreTask) -> dict[str, Any]:
    """Runs a task with one thread: a cluster has as many workers as cores, so more would queue."""
    with quiet_start():
        import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # this worker has computed something already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    return run_task(task)


def _answer(future: Any, source: str) -> dict[str, Any]:
    """The answer of a task, also if Dask could not run it."""
    try:
        return future.result()
    except Exception as error:
        message = " ".join(f"{type(error).__name__}: {error}".split())
        if type(error).__name__ == "KilledWorker":
            message = "every worker that took it died, perhaps out of memory; lower --chunk-size"
    return {"source": source, "error": message, "process": 0}


@contextlib.contextmanager
def _client(scheduler: str, num_workers: int | None) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--engine dask needs the package distributed; run: pip install 'tsad-keras[dask]'"
        ) from error
    with contextlib.ExitStack() as stack:
        if scheduler == "local":
            address = stack.enter_context(_local_cluster(num_workers))
        else:
            address = scheduler
            _check_answers(address)
        client = stack.enter_context(Client(address, timeout=_CONNECT_SECONDS))
        _wait_for_worker(client, scheduler)
        yield client


def _check_answers(address: str) -> None:
    """Connects once: a `Client` that finds nobody leaves its thread behind, which blocks the next.

    Raises:
        InputError: If the address is none, or nobody answers there.
    """
    from distributed import Security
    from distributed.comm import connect

    async def connect_once() -> None:
        arguments = Security().get_connection_args("client")
        comm = await connect(address, timeout=_CONNECT_SECONDS, **arguments)
        await comm.close()

    try:
        # A thread of its own, as a notebook runs an event loop in this one.
        with ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: asyncio.run(connect_once())).result()
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"no Dask scheduler answers at {address!r} ({' '.join(str(error).split())}), "
            "expected an address such as tcp://10.0.0.7:8786, or local; check --scheduler"
        ) from error


def _wait_for_worker(client: Any, scheduler: str) -> None:
    if not client.scheduler_info()["workers"]:
        logger.info("waiting for a worker of %s", scheduler)
    try:
        client.wait_for_workers(1, timeout=_WORKER_SECONDS)
    except TimeoutError as error:
        raise InputError(
            f"the scheduler {scheduler} has no worker, expected at least one within "
            f"{_WORKER_SECONDS} seconds; start one: dask worker {scheduler}"
        ) from error


def _local_cluster(num_workers: int | None) -> Any:
    from distributed import LocalCluster

    root = str(Path(tsad_keras.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    environment = {
        "PYTHONPATH": path,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    return LocalCluster(
        n_workers=num_workers or os.cpu_count(),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,  # a killed worker is not the user's business: it is replaced
        env=environment,
        preload=[_IGNORE_INTERRUPTS],
    )
