"""Trains one entity after the other: `python -m tsad_keras.fleet.worker`, tasks by `children`."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras import children
from tsad_keras.config import Config
from tsad_keras.datasets import load_dataset
from tsad_keras.datasets.gaps import split_at_gaps
from tsad_keras.datasets.sampling import rate_of
from tsad_keras.errors import InputError
from tsad_keras.files import arrays_digest, write_json
from tsad_keras.persistence import FILE_NAME, write_rate

logger = logging.getLogger(__name__)

MARKER = "trained.json"  # written last: its model is whole, and of these settings and data
CHECKPOINT = "checkpoint.npz"


@dataclasses.dataclass(frozen=True)
class FleetTask:
    """One entity to train.

    Attributes:
        dataset: Name of the dataset.
        entity: Name of the series.
        data_dir: Where the data lie.
        data_options: Further options of the dataset's reader.
        config: Fields of `Config`.
        folder: Of the model.
        max_gap: Rows further apart in time begin a new series; None = never.
    """

    dataset: str
    entity: str
    data_dir: str
    data_options: dict[str, Any]
    config: dict[str, Any]
    folder: str
    max_gap: float | None = None


def train_entity(task: FleetTask) -> dict[str, Any]:
    """Trains one entity, from its checkpoint if there is one, and saves its model.

    Args:
        task: What to train.

    Returns:
        The facts of its row in `fleet.csv`; `state` is `kept` if the model is there already, of
        the same settings and data.

    Raises:
        InputError: If the data or the settings are at fault.
    """
    began = time.perf_counter()
    folder = Path(task.folder)
    dataset = load_dataset(task.dataset, task.entity, task.data_dir, **task.data_options)
    series = split_at_gaps(dataset.train, dataset.train_timestamps, task.max_gap)
    named = {f"{index}": values for index, values in enumerate(series)}
    settings = [task.config, list(dataset.feature_names)]
    fingerprint = arrays_digest(named, json.dumps(settings, sort_keys=True))
    found = _finished(folder, fingerprint)
    if found is not None:
        (folder / CHECKPOINT).unlink(missing_ok=True)  # of a kill between the marker and its end
        return {**found, "state": "kept"}
    detector = _fit(task, folder, series, dataset.feature_names)
    write_rate(folder, rate_of(dataset.train_timestamps))
    facts = {
        "rows": int(sum(map(len, series))),
        "features": len(dataset.feature_names),
        "best_epoch": detector.best_epoch_,
        "threshold": detector.threshold_,
        "seconds": round(time.perf_counter() - began, 1),
    }
    model_hash = hashlib.sha256((folder / FILE_NAME).read_bytes()).hexdigest()
    marker = {"fingerprint": fingerprint, "model_sha256": model_hash, "facts": facts}
    write_json(folder / MARKER, marker)
    detector.discard_checkpoint()
    return {**facts, "state": "trained"}


def _finished(folder: Path, fingerprint: str) -> dict[str, Any] | None:
    """The facts of a model that is whole and of these settings and data, else None."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
        model_hash = hashlib.sha256((folder / FILE_NAME).read_bytes()).hexdigest()
        is_same = (marker["fingerprint"], marker["model_sha256"]) == (fingerprint, model_hash)
        return dict(marker["facts"]) if is_same else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _fit(
    task: FleetTask, folder: Path, series: list[np.ndarray], feature_names: tuple[str, ...]
) -> Any:
    import keras

    from tsad_keras.detector import ContrastiveGANDetector
    from tsad_keras.training import TrainingDivergedError

    keras.backend.clear_session()  # what Keras kept of the entity before
    gc.collect()
    detector = ContrastiveGANDetector.from_config(Config.from_dict(task.config))
    try:
        detector.fit(
            series,
            feature_names=feature_names,
            verbose=False,
            checkpoint_path=folder / CHECKPOINT,
            history_path=folder / "history.csv",
        )
    except TrainingDivergedError as error:
        if error.best_epoch:
            detector.save(folder)
            raise InputError(f"{error}; the model with those weights is in {folder}") from error
        raise InputError(f"{error}; no model was saved") from error
    detector.save(folder)
    return detector


def answer_to(task: dict[str, Any]) -> dict[str, Any]:
    """The facts of a task's row; `{"error": text}` in one line if it failed."""
    try:
        return train_entity(FleetTask(**task))
    except (InputError, OSError, MemoryError) as error:
        return {"error": " ".join(str(error).split()) or type(error).__name__}
    except Exception as error:  # a defect: the others go on, the log has the traceback
        logger.exception("%s", task["entity"])
        return {"error": " ".join(f"{type(error).__name__}: {error}".split())}


def main() -> None:
    """Answers one task after the other."""
    answers = children.Answers()
    for task in children.tasks():
        answers.send(answer_to(task))


if __name__ == "__main__":
    main()
