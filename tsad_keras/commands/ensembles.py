"""The command `ensemble`."""

from __future__ import annotations

import argparse
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.places import check_folder, claimed_folder
from tsad_keras.commands.training_data import training_series
from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.persistence import write_rate
from tsad_keras.starting import quiet_start

_DEFAULT_MEMBERS = 3


def ensemble(arguments: argparse.Namespace) -> None:
    """Trains the members that are missing, combines them, and saves all in one folder."""
    configs = _read_configs(arguments)
    folder = Path(arguments.model_dir)
    check_folder(folder)
    found = training_series(arguments)
    with quiet_start():
        from tsad_keras.detector import EnsembleDetector

    detector = EnsembleDetector(configs, arguments.combine)
    with claimed_folder(folder):
        detector.fit(
            found.values,
            feature_names=found.feature_names,
            verbose=not arguments.quiet,
            directory=folder,
        )
        detector.save(folder)
        write_rate(folder, found.rate)
    for number, member in enumerate(detector.members_):
        print(
            f"member {number}: seed {member.config.seed}, best epoch {member.best_epoch_} of "
            f"{len(member.history_)}, threshold {member.threshold_:.6g}"
        )
    print(
        f"{len(detector.members_)} members, {detector.combine} scores; threshold "
        f"{detector.threshold_:.6g} for an expected false-alarm rate of "
        f"{detector.expected_false_alarm_rate_:g}\nmodel: {folder}"
    )


def _read_configs(arguments: argparse.Namespace) -> list[Config]:
    """The members' settings: one base with several seeds, or a file for each member."""
    if not arguments.configs:
        base = sources.read_config(arguments)
        seeds = range(base.seed, base.seed + (arguments.members or _DEFAULT_MEMBERS))
        return [Config.from_dict({**base.to_dict(), "seed": seed}) for seed in seeds]
    if arguments.config or arguments.preset:
        flag = "--config" if arguments.config else "--preset"
        raise InputError(f"{flag} came with --configs, expected one of them; leave one out")
    configs = []
    for path in arguments.configs:
        arguments.config = path
        configs.append(sources.read_config(arguments))
    return configs
