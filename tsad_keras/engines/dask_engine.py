"""Tasks on Dask distributed: worker processes here, or those of a scheduler somewhere else."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        advice = "lower --chunk-size"
        for task, answer in _answers(client, _score_on_worker, tasks, "score", advice):
            answers.append(answer if "source" in answer else {"source": task.source, **answer})
            on_answer(answers[-1])
    return answers


def train_on_dask(
    tasks: Iterable[dict[str, Any]],
    *,
    scheduler: str = "local",
    num_workers: int | None = None,
    on_answer: Callable[[dict[str, Any], dict[str, Any]], None],
) -> None:
    """Trains a model for each task on the workers of a Dask cluster.

    A task whose worker dies is given to another one, up to three times, which goes on from the
    last checkpoint.

    Args:
        tasks: Fields of `FleetTask`.
        scheduler: As for `run_on_dask`; workers see the same data and model folders.
        num_workers: Local worker processes; default one a core.
        on_answer: Is given a task and its answer, one at a time: the facts of its row in
            `fleet.csv`, or `{"error": text}`; and the number of its `process`.

    Raises:
        InputError: If Dask is not installed, or no scheduler or no worker answers.
    """
    names = ("folder", "data_dir")  # a worker may have been started in another folder
    tasks = [
        {**task, **{name: str(Path(task[name]).absolute()) for name in names}} for task in tasks
    ]
    with _client(scheduler, num_workers) as client:
        advice = "the same command goes on from its last checkpoint"
        for task, answer in _answers(client, _train_on_worker, tasks, "train", advice):
            on_answer(task, answer)


def _answers(
    client: Any,
    function: Callable[[Any], dict[str, Any]],
    tasks: Sequence[Any],
    name: str,
    advice: str,
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yields each task with its answer as they come, also if Dask could not run it."""
    from distributed import as_completed

    futures = client.map(function, tasks, pure=False, key=f"tsad-keras-{name}")
    by_key = {future.key: task for future, task in zip(futures, tasks, strict=True)}
    for future in as_completed(futures):
        try:
            answer = future.result()
        except Exception as error:
            message = " ".join(f"{type(error).__name__}: {error}".split())
            if type(error).__name__ == "KilledWorker":
                message = f"every worker that took it died, perhaps out of memory; {advice}"
            answer = {"error": message, "process": 0}
        yield by_key[future.key], answer


def _score_on_worker(task: ScoreTask) -> dict[str, Any]:
    _use_one_thread()
    return run_task(task)


def _train_on_worker(task: dict[str, Any]) -> dict[str, Any]:
    _use_one_thread()
    from tsad_keras.fleet.worker import answer_to

    return {**answer_to(task), "process": os.getpid()}


def _use_one_thread() -> None:
    """A cluster has as many workers as cores, so more threads would queue."""
    with quiet_start():
        import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # this worker has computed something already
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


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
