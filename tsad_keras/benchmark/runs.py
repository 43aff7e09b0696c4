"""Runs over entities and seeds, and their means."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tsad_keras.benchmark.run import PAGE, REPORT, RESULTS, Summary, run_once
from tsad_keras.config import Config
from tsad_keras.datasets import list_entities, load_dataset
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, folder_name, write_json
from tsad_keras.reporting.aggregate import (
    mean_explanations,
    mean_methods,
    mean_warnings,
    mean_window_level,
)
from tsad_keras.reporting.facts import jsonable, versions
from tsad_keras.reporting.mean_markdown import mean_markdown
from tsad_keras.reporting.page import mean_page
from tsad_keras.reporting.tables import detector_row

logger = logging.getLogger(__name__)


def reproduce_entity(
    dataset: TimeSeriesDataset,
    config: Config,
    output_dir: str | os.PathLike[str],
    *,
    seeds: int = 1,
    verbose: bool = True,
    reseed: Callable[[int], TimeSeriesDataset] | None = None,
) -> Summary:
    """Trains, scores, evaluates against the baselines and reports one entity.

    Args:
        dataset: The data; labels are needed for metrics only.
        config: Settings of the detector; the baselines take over what they share.
        output_dir: The run's folder; with several seeds, `seed-N/` inside are the runs' folders.
        seeds: Number of runs; run s has the seed `config.seed + s`.
        verbose: Whether to draw progress bars.
        reseed: Makes the data of a seed, for data that are generated; default: the same data.

    Returns:
        What `results_summary.json` in `output_dir` holds, and `folder`. A run that is finished with
        the same config and data is read, not computed again.

    Raises:
        InputError: If the data do not fit the settings or a folder cannot be written to.
    """
    folder = Path(output_dir)
    runs = _run_seeds(dataset, config, folder, seeds=seeds, verbose=verbose, reseed=reseed)
    return runs[0] if len(runs) == 1 else _write_mean(runs, folder, config)


def reproduce(
    name: str,
    entities: str | Sequence[str] | None = None,
    *,
    config: Config,
    output_dir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] = "data",
    seeds: int = 1,
    verbose: bool = True,
    data_options: dict[str, Any] | None = None,
) -> Summary:
    """`reproduce_entity` for entities of a dataset, and the mean over them.

    For the synthetic dataset, the seed of a run is also that of its data.

    Args:
        name: Name of the dataset, as in `load_dataset`.
        entities: Names, or one name; None or `"all"` for all that are there.
        config: Settings of the detector.
        output_dir: Folder for everything; with several entities, one folder each inside.
        data_dir: Where the data lie.
        seeds: Number of runs an entity.
        verbose: Whether to draw progress bars.
        data_options: Further options of the dataset's reader, such as `num_train`.

    Returns:
        As for `reproduce_entity`; for several entities or seeds the means, with `kind` `"mean"`.

    Raises:
        InputError: For an unknown dataset or entity, missing files, and as `reproduce_entity`.
    """
    options = dict(data_options or {})
    folder = Path(output_dir)
    chosen = _choose(name, entities, data_dir)
    runs: list[Summary] = []
    for index, entity in enumerate(chosen, start=1):
        logger.info("%s, entity %s (%d of %d)", name, entity, index, len(chosen))
        load, reseed = _loaders(name, entity, data_dir, options)
        of_entity = _run_seeds(
            load(config.seed),
            config,
            folder / folder_name(entity) if len(chosen) > 1 else folder,
            seeds=seeds,
            verbose=verbose,
            reseed=reseed,
        )
        if len(chosen) > 1 and seeds > 1:
            _write_mean(of_entity, folder / folder_name(entity), config)
        runs += of_entity
    return runs[0] if len(runs) == 1 else _write_mean(runs, folder, config)


def _choose(
    name: str, entities: str | Sequence[str] | None, data_dir: str | os.PathLike[str]
) -> list[str]:
    known = list_entities(name, data_dir)
    if entities is None or entities == "all":
        return known
    chosen = [entities] if isinstance(entities, str) else list(dict.fromkeys(entities))
    if not chosen:
        raise InputError("an empty list of entities came, expected at least one, or all")
    return chosen


def _loaders(
    name: str, entity: str, data_dir: str | os.PathLike[str], options: dict[str, Any]
) -> tuple[Callable[[int], TimeSeriesDataset], Callable[[int], TimeSeriesDataset] | None]:
    """How to load the first run's data, and how those of further seeds, if these differ."""

    def load(seed: int) -> TimeSeriesDataset:
        seeded = {**options, "seed": seed} if name == "synthetic" else options
        return load_dataset(name, entity, data_dir, **seeded)

    return load, load if name == "synthetic" else None


def _run_seeds(
    dataset: TimeSeriesDataset,
    config: Config,
    folder: Path,
    *,
    seeds: int,
    verbose: bool,
    reseed: Callable[[int], TimeSeriesDataset] | None,
) -> list[Summary]:
    if seeds < 1:
        raise InputError(f"seeds is {seeds}, expected 1 or more")
    runs = []
    for seed in range(config.seed, config.seed + seeds):
        seeded = dataset if reseed is None or seed == config.seed else reseed(seed)
        run_folder = folder if seeds == 1 else folder / f"seed-{seed}"
        run_config = dataclasses.replace(config, seed=seed)
        runs.append(run_once(seeded, run_config, run_folder, verbose=verbose))
        _free_memory()
    return runs


def _free_memory() -> None:
    """Keras keeps what it needs to name layers; over many runs that grows."""
    import keras

    keras.backend.clear_session()
    gc.collect()


def _write_mean(runs: list[Summary], folder: Path, config: Config) -> Summary:
    """Writes the means of several runs as `report.md`, `report.html` and `results_summary.json`."""
    first = runs[0]["dataset"]
    notes = dict.fromkeys(note for run in runs for note in run["dataset"]["notes"])
    summary = {
        "kind": "mean",
        "dataset": {
            "name": first["name"],
            "entities": list(dict.fromkeys(run["dataset"]["entity"] for run in runs)),
            "has_labels": any(run["dataset"]["has_labels"] for run in runs),
            "notes": list(notes),
            "is_stand_in": any(run["dataset"]["is_stand_in"] for run in runs),
        },
        "warnings": mean_warnings(runs),
        "seeds": sorted({run["seed"] for run in runs}),
        "methods": mean_methods(runs),
        "window_level": mean_window_level(runs),
        "explanations": mean_explanations(runs),
        "runs": [_run_line(run, folder) for run in runs],
        "seconds": {"total": sum(run["seconds"]["total"] for run in runs)},
        "peak_memory_mb": max((run["peak_memory_mb"] or 0 for run in runs), default=0) or None,
        "versions": versions(),
        "config": config.to_dict(),
    }
    summary = jsonable(summary)
    with atomic_write(folder / REPORT) as file:
        file.write(mean_markdown(summary))
    with atomic_write(folder / PAGE) as file:
        file.write(mean_page(summary))
    write_json(folder / RESULTS, summary)
    return {**summary, "folder": str(folder)}


def _run_line(run: Summary, folder: Path) -> dict[str, Any]:
    return {
        "entity": run["dataset"]["entity"],
        "seed": run["seed"],
        "folder": Path(run["folder"]).relative_to(folder).as_posix(),
        "vus_pr_score": {
            row["method"]: row["metrics"].get("vus_pr_score") for row in run["methods"]
        },
        "detector_f1_score": detector_row(run["methods"])["metrics"].get("f1_score"),
        "mean_shift": run["drift"]["mean_shift"],
        "warnings": run["warnings"],
        "seconds": run["seconds"]["total"],
    }
