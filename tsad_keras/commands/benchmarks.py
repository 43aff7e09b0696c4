"""The command `benchmark`."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from tsad_keras.commands import sources
from tsad_keras.commands.places import claimed_folder
from tsad_keras.config import Config


def benchmark(arguments: argparse.Namespace) -> None:
    """Runs the grid of datasets, methods and seeds, as far as it is not done yet."""
    from tsad_keras.benchmark.grid import run_grid
    from tsad_keras.benchmark.registry import check_overrides, choose_methods

    given = {
        field.name: getattr(arguments, field.name)
        for field in dataclasses.fields(Config)
        if hasattr(arguments, field.name)
    }
    sources.refuse_entity_scaling("benchmark", given.get("entity_scaling", False))
    check_overrides(given, choose_methods(arguments.methods))  # before anything is made
    folder = Path(arguments.output)
    with claimed_folder(folder, "benchmark", "--output"):
        path = run_grid(
            arguments.datasets,
            arguments.methods,
            output_dir=folder,
            data_dir=arguments.data_dir,
            entities=arguments.entities,
            seeds=arguments.seeds,
            jobs=arguments.jobs,
            overrides=given,
            data_options=_data_options(arguments),
            command=shlex.join(["python", "-m", "tsad_keras", *sys.argv[1:]]),
        )
    print(f"report: {path}")


def _data_options(arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    if "own" in arguments.datasets:
        return {"own": sources.own_options(arguments)}
    for name in arguments.datasets:
        sources.check_source(arguments, name)
    return {}
