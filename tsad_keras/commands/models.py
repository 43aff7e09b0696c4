"""Which detector a command means by `--model-dir` and `--entity`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tsad_keras.commands import sources
from tsad_keras.errors import InputError
from tsad_keras.files import folder_name
from tsad_keras.fleet.table import FILE_NAME as FLEET_FILE
from tsad_keras.persistence import FILE_NAME, read_rate
from tsad_keras.starting import quiet_start

if TYPE_CHECKING:
    from tsad_keras.detector import ContrastiveGANDetector
    from tsad_keras.inference.scores import SeriesScorer


def model_folder(model_dir: str, entity: str | None) -> Path:
    """The folder of a model: `model_dir`, or that of an entity in it after `--per-entity`.

    Raises:
        InputError: If there are models by entity and none was named, or that one is not there.
    """
    folder = Path(model_dir)
    if (folder / FILE_NAME).is_file() or not (folder / FLEET_FILE).is_file():
        return folder
    if entity is None:
        raise InputError(
            f"{folder} holds a model for each entity and none was named, expected one of those in "
            f"{folder / FLEET_FILE}; name it with --entity"
        )
    own = folder / folder_name(entity)
    if not (own / FILE_NAME).is_file():
        raise InputError(
            f"{folder} holds no model of the entity {entity!r}, expected one of those in "
            f"{folder / FLEET_FILE}; check --entity, or train it"
        )
    return own


def load_model(
    model_dir: str,
    entity: str | None = None,
    *,
    of_dataset: bool = False,
    loaded: dict[Path, ContrastiveGANDetector] | None = None,
) -> ContrastiveGANDetector:
    """Loads an ordinary detector: the model itself, that of an entity, or a model's view of one.

    Args:
        model_dir: Folder of a model, or of models by entity.
        entity: Name of the entity, if one was named.
        of_dataset: Whether the name says what is scored; then a model for all is fine, too.
        loaded: Keeps the last model, so that one for all is read once for many entities.

    Raises:
        InputError: If there is no such model, or an entity is needed, unknown or not to be named.
    """
    from tsad_keras.detector import load_detector

    folder = model_folder(model_dir, entity)
    loaded = {} if loaded is None else loaded
    if folder not in loaded:
        loaded.clear()
        loaded[folder] = load_detector(folder)
    detector = loaded[folder]
    if detector.entities_:
        if entity is None:
            detector.require_fitted()  # says which entities there are
        return detector.entity(entity)
    if entity is not None and folder == Path(model_dir) and not of_dataset:
        return detector.entity(entity)  # says that there are none
    return detector


def open_model(arguments: argparse.Namespace) -> SeriesScorer:
    """The detector of `--model-dir` and `--entity`, or the export of `--export-dir`."""
    if not arguments.export_dir:
        return load_model(arguments.model_dir, arguments.entity)
    if arguments.entity:
        raise InputError(
            f"--entity {arguments.entity} came with --export-dir: an export is of one entity; "
            "leave it out"
        )
    from tsad_keras.inference.exported import load_export  # needs no Keras

    return load_export(arguments.export_dir)


def model_and_source(
    arguments: argparse.Namespace,
) -> tuple[SeriesScorer, Any, dict[str, Any] | None]:
    """The detector of `--model-dir`, or the export of `--export-dir`, and what it shall score.

    Returns:
        The detector; the dataset of `--dataset`, or None for `--input`; the rate of the rows that
        the model was trained on, as `sources.score_tables` takes it (None: not known).
    """
    if getattr(arguments, "export_dir", None):
        sources.check_source(arguments, arguments.dataset, has_entities=True)
        with quiet_start():
            from tsad_keras.inference.exported import load_export

        if not arguments.dataset:
            return open_model(arguments), None, None
        return load_export(arguments.export_dir), sources.load_named(arguments), None
    sources.check_source(arguments, arguments.dataset, has_entities=True)
    with quiet_start():
        from tsad_keras import detector  # noqa: F401 (its import is what takes time)

    dataset = sources.load_named(arguments) if arguments.dataset else None
    entity = arguments.entity if dataset is None else dataset.entity
    model = load_model(arguments.model_dir, entity, of_dataset=dataset is not None)
    return model, dataset, read_rate(model_folder(arguments.model_dir, entity))
