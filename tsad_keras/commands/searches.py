"""The command `tune`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from tsad_keras.commands import sources
from tsad_keras.commands.places import check_output, claimed_folder
from tsad_keras.commands.training_data import training_series
from tsad_keras.config import Config
from tsad_keras.starting import quiet_start

_DEFAULT_MINUTES = 20.0


def tune(arguments: argparse.Namespace) -> None:
    """Searches for settings and writes the best as a file for `train --config`."""
    base = sources.read_config(arguments)
    fixed = {field.name for field in dataclasses.fields(Config) if hasattr(arguments, field.name)}
    folder = Path(arguments.output)
    if arguments.study:
        check_output(Path(arguments.study), [])
    minutes = arguments.minutes
    if minutes is None and arguments.trials is None:
        minutes = _DEFAULT_MINUTES
    with claimed_folder(folder, "search", "--output"):
        found = training_series(arguments)
        with quiet_start():
            from tsad_keras.tuning.study import BEST, TRIALS
            from tsad_keras.tuning.study import tune as search

        result = search(
            found.values,
            found.feature_names,
            base,
            folder,
            minutes=minutes,
            num_trials=arguments.trials,
            num_stages=arguments.stages,
            study_path=arguments.study,
            fixed=frozenset(fixed),
        )
    changed = {
        name: value
        for name, value in result.config.to_dict().items()
        if value != getattr(base, name)
    }
    print(
        f"{len(result.trials)} trials: {result.count('COMPLETE')} complete, "
        f"{result.count('PRUNED')} given up, {result.count('FAIL')} failed; {folder / TRIALS}\n"
        "VUS-PR of anomalies injected into held-out training rows: "
        f"best {result.value:.4f}, default {result.default_value:.4f}\n"
        f"changed: {', '.join(f'{k} {_shown(v)}' for k, v in changed.items()) or 'nothing'}\n"
        f"best configuration: {folder / BEST}"
    )


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
