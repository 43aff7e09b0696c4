"""Datasets x entities x methods x seeds: the plan, what of it is done, and the rest."""

from __future__ import annotations

import dataclasses
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tsad_keras.benchmark.comparison import write_comparison
from tsad_keras.benchmark.posts import posts
from tsad_keras.benchmark.processes import Rows, run_tasks
from tsad_keras.benchmark.registry import Method, check_overrides, choose_methods, models
from tsad_keras.benchmark.rows import ResultsFile, key_of
from tsad_keras.benchmark.worker import (
    Task,
    common_span,
    settings_digest,
    short_fingerprint,
)
from tsad_keras.datasets import list_entities, load_dataset
from tsad_keras.errors import InputError
from tsad_keras.version import __version__

logger = logging.getLogger(__name__)

RESULTS = "results.csv"
Runner = Callable[[list[Task], int, Callable[[Task, Rows], None]], list[tuple[Task, str]]]


@dataclasses.dataclass(frozen=True)
class Series:
    """An entity and the hash of its data.

    Attributes:
        dataset: Name of the dataset.
        entity: Name of the series.
        options: Further options of the dataset's reader.
        fingerprint: As in the rows.
    """

    dataset: str
    entity: str
    options: dict[str, Any]
    fingerprint: str


def run_grid(
    datasets: Sequence[str],
    method_words: Sequence[str] = ("all",),
    *,
    output_dir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] = "data",
    entities: Sequence[str] | None = None,
    seeds: int = 5,
    jobs: int = 1,
    overrides: dict[str, Any] | None = None,
    data_options: dict[str, dict[str, Any]] | None = None,
    command: str = "",
    runner: Runner = run_tasks,
) -> Path:
    """Runs what is not done yet, and writes `results.csv`, `benchmark.md` and `figures/`.

    Rows that are there with the same data, settings and version of this package are kept. Rows of
    the same key with others are computed again; `results.previous.csv` keeps them.

    Args:
        datasets: Names, as in `load_dataset`.
        method_words: As for `choose_methods`.
        output_dir: Folder for everything.
        data_dir: Where the data lie.
        entities: Only these; default all.
        seeds: Runs of a method that is random: `overrides["seed"]` (0) and those after it.
        jobs: Processes at a time, each on one thread.
        overrides: Fields of `Config` for all models.
        data_options: By dataset, further options of its reader.
        command: The command line, for the report.
        runner: What runs tasks; default: each in a process of its own.

    Returns:
        Path of `benchmark.md`.

    Raises:
        InputError: For unknown names, missing files, settings that fit no method; and at the end,
            when all else is done and written, if a task failed.
    """
    overrides = dict(overrides or {})
    first_seed = overrides.pop("seed", 0)
    chosen = choose_methods(method_words)
    check_overrides(overrides, chosen)
    series = find_series(datasets, entities, data_dir, data_options or {})
    file = ResultsFile(Path(output_dir) / RESULTS)
    dropped = file.drop(_outdated(series, chosen, overrides))
    if dropped:
        logger.info("%d rows belong to other data, settings or versions: computed again", dropped)
    wanted = range(first_seed, first_seed + seeds)
    tasks = list(_plan(series, chosen, wanted, overrides, str(data_dir), file.keys()))
    num_runs = sum(len(task.seeds) for task in tasks)
    logger.info("%d runs to do, %d rows are there already", num_runs, len(file.rows))
    failed = runner(tasks, jobs, _recorder(file, num_runs))
    for task, error in failed:
        logger.warning("%s %s, %s: %s", task.dataset, task.entity, task.model, error)
    path = write_comparison(file.rows, Path(output_dir), command=command, failures=_lines(failed))
    if failed:
        raise InputError(
            f"{len(failed)} of {len(tasks)} tasks failed, the first of them "
            f"{_lines(failed)[0]}; all else is in {path}; the same command tries them again"
        )
    return path


def find_series(
    datasets: Sequence[str],
    entities: Sequence[str] | None,
    data_dir: str | os.PathLike[str],
    options: dict[str, dict[str, Any]],
) -> list[Series]:
    """Loads each entity once: anything wrong with the data is said before the first run.

    Args:
        datasets: Names, as in `load_dataset`.
        entities: Only these; None for all.
        data_dir: Where the data lie.
        options: By dataset, further options of its reader.

    Returns:
        The entities with labels.

    Raises:
        InputError: For unknown names, missing files, or if no entity has labels.
    """
    found: list[Series] = []
    missing = dict.fromkeys(entities or ())
    for name in dict.fromkeys(datasets):
        known = list_entities(name, data_dir)
        for entity in known if entities is None else [e for e in known if e in missing]:
            dataset = load_dataset(name, entity, data_dir, **options.get(name, {}))
            if dataset.test_labels is None:
                logger.warning("%s %s has no labels to judge by: left out", name, entity)
                continue
            found.append(Series(name, entity, options.get(name, {}), short_fingerprint(dataset)))
    absent = [e for e in missing if e not in {series.entity for series in found}]
    if absent:
        raise InputError(
            f"unknown entity {absent[0]!r}, expected one with labels of {', '.join(datasets)}"
        )
    if not found:
        raise InputError("no entity has labels, expected some to judge by")
    return found


def _outdated(
    series: list[Series], chosen: list[Method], overrides: dict[str, Any]
) -> Callable[[dict[str, Any]], bool]:
    """Says of rows whether this grid would compute them with other data, settings or versions."""
    data = {(one.dataset, one.entity): one.fingerprint for one in series}
    settings = {method.name: settings_digest(method, overrides) for method in chosen}

    def is_outdated(row: dict[str, Any]) -> bool:
        place = (row["dataset"], row["entity"])
        if place not in data or row["method"] not in settings:
            return False
        now = (data[place], settings[row["method"]], __version__)
        return now != (row["data_sha256"], row["settings_sha256"], row["version_tsad_keras"])

    return is_outdated


def _plan(
    series: list[Series],
    chosen: list[Method],
    seeds: range,
    overrides: dict[str, Any],
    data_dir: str,
    done: set[tuple],
) -> Iterator[Task]:
    """Yields a task for each entity and model that has something to do."""
    names = list(posts(common_span(overrides)))
    by_model: dict[str, list[str]] = {}
    for method in chosen:
        by_model.setdefault(method.model, []).append(method.name)
    for one in series:
        for model, ways in by_model.items():

            def is_missing(seed: int, one: Series = one, ways: list[str] = ways) -> bool:
                place = {"dataset": one.dataset, "entity": one.entity, "seed": seed}
                keys = (key_of({**place, "method": m, "post": p}) for m in ways for p in names)
                return any(key not in done for key in keys)

            wanted = seeds if models()[model].is_random else seeds[:1]
            missing = tuple(seed for seed in wanted if is_missing(seed))
            if missing:
                yield Task(
                    dataset=one.dataset,
                    entity=one.entity,
                    data_dir=data_dir,
                    data_options=one.options,
                    model=model,
                    methods=tuple(ways),
                    seeds=missing,
                    overrides=overrides,
                )


def _recorder(file: ResultsFile, num_runs: int) -> Callable[[Task, Rows], None]:
    """Writes rows down and says how far it is."""
    started, done = time.perf_counter(), 0

    def record(task: Task, rows: Rows) -> None:
        nonlocal done
        file.append(rows)
        done += 1
        left = (time.perf_counter() - started) / done * (num_runs - done) / 60
        logger.info(
            "%d/%d %s %s %s, seed %d: %.1f s, VUS-PR %.3f; about %.0f min left",
            *(done, num_runs, task.dataset, task.entity, task.model, rows[0]["seed"]),
            *(rows[0]["fit_seconds"], rows[0]["vus_pr_score"], left),
        )

    return record


def _lines(failed: list[tuple[Task, str]]) -> list[str]:
    return [f"{task.dataset} {task.entity}, {task.model}: {error}" for task, error in failed]
