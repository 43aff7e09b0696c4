"""The command `train`: one model of all that is named, or one for each entity."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.distributing import make_distribution, training_place
from tsad_keras.commands.fleets import fleet_runner
from tsad_keras.commands.places import check_folder, claimed_folder
from tsad_keras.commands.training_data import training_series
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.persistence import write_rate
from tsad_keras.starting import quiet_readers, quiet_start


def train(arguments: argparse.Namespace) -> None:
    """Trains on files or on a dataset's training part and saves the model."""
    config = sources.read_config(arguments)
    folder = Path(arguments.model_dir)
    check_folder(folder)
    if arguments.tensorboard_dir:
        check_folder(Path(arguments.tensorboard_dir))
    if arguments.per_entity:
        _train_each(arguments, config, folder)
    else:
        _train_one(arguments, config, folder)


def _train_one(arguments: argparse.Namespace, config: Config, folder: Path) -> None:
    for flag in ("jobs", "engine", "scheduler", "workers"):
        if getattr(arguments, flag):
            raise InputError(
                f"--{flag} {getattr(arguments, flag)} came without --per-entity, expected both; "
                "one model is trained in one process"
            )
    with quiet_readers() if arguments.entities else contextlib.nullcontext():
        found = training_series(arguments)
    with quiet_start():
        from tsad_keras.detector import ContrastiveGANDetector
        from tsad_keras.training import TrainingDivergedError

    distribution = make_distribution(arguments)
    detector = ContrastiveGANDetector.from_config(config)
    with training_place(folder, distribution) as writes:
        try:
            detector.fit(
                found.values,
                feature_names=found.feature_names,
                entity_names=found.entities,
                verbose=not arguments.quiet,
                checkpoint_path=folder / "checkpoint.npz",
                history_path=folder / "history.csv",
                tensorboard_dir=arguments.tensorboard_dir,
                distribution=distribution,
            )
        except TrainingDivergedError as error:
            if not error.best_epoch:
                raise InputError(f"{error}; no model was saved") from error
            if writes:
                detector.save(folder)
            raise InputError(f"{error}; the model with those weights is in {folder}") from error
        if writes:
            detector.save(folder)
            write_rate(folder, found.rate)
            detector.discard_checkpoint()
    if distribution is not None:
        print(f"weights: {detector.weights_sha256_}")  # to be the same on every worker
    threshold = (
        f"{len(detector.entities_)} entities with a threshold each"
        if detector.entities_
        else f"threshold {detector.threshold_:.6g}"
    )
    print(
        f"trained on {len(found.values)} series with {sum(map(len, found.values))} rows and "
        f"{len(found.feature_names)} features; best epoch {detector.best_epoch_} of "
        f"{len(detector.history_)}; {threshold} for an expected "
        f"false-alarm rate of {detector.expected_false_alarm_rate_:g}"
        + (f"\nmodel: {folder}" if writes else "")
    )


def _train_each(arguments: argparse.Namespace, config: Config, folder: Path) -> None:
    from tsad_keras.fleet import train_fleet
    from tsad_keras.fleet.run import available_cores

    if not arguments.dataset:
        raise InputError(
            "--per-entity came with --train-file, expected it with --dataset; for your own files: "
            "--dataset own --data-dir FOLDER"
        )
    if arguments.strategy != "single":
        raise InputError(
            f"--strategy {arguments.strategy} came with --per-entity, which has processes of its "
            "own; leave one of them out"
        )
    if arguments.tensorboard_dir:
        raise InputError("--tensorboard-dir came with --per-entity; leave one of them out")
    runner = fleet_runner(arguments)
    sources.refuse_entity_scaling("--per-entity", config.entity_scaling)
    sources.check_source(arguments, arguments.dataset)
    entities = sources.chosen_entities(arguments.dataset, arguments)
    with claimed_folder(folder):
        states = train_fleet(
            arguments.dataset,
            entities,
            config=config,
            model_dir=folder,
            data_dir=arguments.data_dir,
            data_options=sources.reader_options(arguments),
            max_gap=arguments.max_gap,
            jobs=arguments.jobs or available_cores(),
            runner=runner,
        )
    print(
        f"{len(entities)} entities: {states['trained']} trained, {states['kept']} kept, "
        f"{states['failed']} failed\nmodels: {folder}, a row each in {folder / 'fleet.csv'}"
    )
    if states["failed"]:
        raise InputError(
            f"{states['failed']} of {len(entities)} entities failed, see the column error of "
            f"{folder / 'fleet.csv'}; the same command tries them again and keeps the others"
        )
