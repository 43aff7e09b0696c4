"""`train_fleet`: a model for each entity, as far as it is not there yet."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.files import folder_name
from tsad_keras.fleet.pool import run_pool
from tsad_keras.fleet.table import FILE_NAME, FleetTable
from tsad_keras.fleet.worker import FleetTask

logger = logging.getLogger(__name__)

_WORKER = "tsad_keras.fleet.worker"
OnAnswer = Callable[[dict[str, Any], dict[str, Any]], None]
Runner = Callable[[str, Iterable[dict], int, OnAnswer], None]


def train_fleet(
    dataset: str,
    entities: Sequence[str],
    *,
    config: Config,
    model_dir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] = "data",
    data_options: dict[str, Any] | None = None,
    max_gap: float | None = None,
    jobs: int = 1,
    runner: Runner = run_pool,
) -> dict[str, int]:
    """Trains one model for each entity, in processes of one thread each.

    Each model lies in a folder of its entity's name in `model_dir`, beside `fleet.csv`. What is
    there with the same settings and data is kept; what was begun goes on from its checkpoint. An
    entity that fails is reported, and the others are finished.

    Args:
        dataset: Name, as in `load_dataset`.
        entities: Names.
        config: Settings of all.
        model_dir: Folder for everything.
        data_dir: Where the data lie.
        data_options: Further options of the dataset's reader.
        max_gap: Rows further apart in time begin a new series; None = never.
        jobs: Processes at a time.
        runner: What runs tasks; default: workers that live for many.

    Returns:
        How many were `trained`, `kept` and `failed`.

    Raises:
        InputError: If two entities would share a folder, or a folder cannot be written to.
    """
    folder = Path(model_dir)
    folders = entity_folders(entities)
    table = FleetTable(folder / FILE_NAME, folders)
    table.write()
    common = {
        "dataset": dataset,
        "data_dir": str(data_dir),
        "data_options": dict(data_options or {}),
        "config": config.to_dict(),
        "max_gap": max_gap,
    }
    tasks = [
        dataclasses.asdict(FleetTask(entity=entity, folder=str(folder / name), **common))
        for entity, name in folders.items()
    ]
    states: Counter[str] = Counter(trained=0, kept=0, failed=0)
    try:
        runner(_WORKER, tasks, jobs, _recorder(table, states, len(tasks)))
    finally:
        table.write()
    return dict(states)


def available_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def entity_folders(entities: Sequence[str]) -> dict[str, str]:
    """The folder's name of each entity.

    Raises:
        InputError: If two entities have the same, or one that is needed otherwise.

    Example:
        >>> entity_folders(["web 1", "valve1/0"])
        {'web 1': 'web_1', 'valve1/0': 'valve1_0'}
    """
    owners: dict[str, str] = {}
    for entity in dict.fromkeys(entities):
        name = folder_name(entity)
        other = owners.setdefault(name.lower(), entity)  # some file systems do not tell case apart
        if other != entity:
            raise InputError(
                f"the entities {other!r} and {entity!r} would share the folder {name!r}, expected "
                "names that differ in letters, digits, or one of . _ + -; rename one"
            )
        if name.lower() == FILE_NAME:
            raise InputError(f"an entity is called {entity!r}, as the table is; rename it")
    return {entity: folder_name(entity) for entity in owners.values()}


def _recorder(table: FleetTable, states: Counter[str], count: int) -> OnAnswer:
    """Writes rows down and says how far it is."""
    started, done = time.perf_counter(), 0

    def record(task: dict[str, Any], answer: dict[str, Any]) -> None:
        nonlocal done
        done += 1
        facts = {"state": "failed", **answer} if "error" in answer else answer
        states[facts["state"]] += 1
        table.put(task["entity"], facts)
        left = (time.perf_counter() - started) / done * (count - done) / 60
        place = f"{done}/{count} {task['entity']}"
        if "error" in facts:
            logger.warning("%s: failed: %s", place, facts["error"])
        else:
            logger.info("%s: %s; about %.0f min left", place, facts["state"], left)

    return record
