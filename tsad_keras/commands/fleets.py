"""`--engine` of `score` and `train`: many files or entities on many cores or machines."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tsad_keras.commands.places import claimed_folder
from tsad_keras.errors import InputError

if TYPE_CHECKING:
    from tsad_keras.fleet.run import OnAnswer, Runner

_SHOWN_FAILURES = 100  # lines on standard error; further ones are counted


def single_input(arguments: argparse.Namespace) -> None:
    """Makes `arguments.input` one file or None; refuses what only an engine can do."""
    if arguments.input and len(arguments.input) > 1:
        raise InputError(
            f"{len(arguments.input)} files came as --input, expected one without an engine; add "
            "--engine dask"
        )
    refuse_engine_flags(arguments)
    arguments.input = arguments.input[0] if arguments.input else None


def refuse_engine_flags(arguments: argparse.Namespace) -> None:
    """Refuses flags that say something to an engine where there is none."""
    for flag in ("scheduler", "workers"):
        if getattr(arguments, flag):
            raise InputError(f"--{flag} came without an engine; add --engine dask or leave it out")


def check_workers(arguments: argparse.Namespace) -> None:
    """Refuses a number of workers for a scheduler that has its own."""
    if arguments.workers and arguments.scheduler not in (None, "local"):
        raise InputError(
            f"--workers {arguments.workers} came with a scheduler that has workers of its own; "
            "leave one of the two out"
        )


def fleet_runner(arguments: argparse.Namespace) -> Runner:
    """What runs the trainings of a fleet: processes here, or the workers of an engine.

    Raises:
        InputError: If flags do not fit together.
    """
    from tsad_keras.fleet.pool import run_pool

    if not arguments.engine:
        refuse_engine_flags(arguments)
        return run_pool
    check_workers(arguments)
    if arguments.jobs:
        raise InputError(
            f"--jobs {arguments.jobs} came with --engine, whose processes are --workers; leave one "
            "of the two out"
        )
    from tsad_keras.engines.dask_engine import train_on_dask

    def run_on_engine(module: str, tasks: Iterable[dict], jobs: int, on_answer: OnAnswer) -> None:
        scheduler = arguments.scheduler or "local"
        train_on_dask(
            tasks, scheduler=scheduler, num_workers=arguments.workers, on_answer=on_answer
        )

    return run_on_engine


def score_fleet(arguments: argparse.Namespace) -> None:
    """Scores each input file into a file of its own, on the workers of an engine."""
    _check(arguments)
    from tsad_keras.engines.dask_engine import run_on_dask
    from tsad_keras.engines.plan import plan_tasks, tidy, unfinished
    from tsad_keras.engines.work import locate_model

    exported = arguments.model_dir is None
    model = locate_model(arguments.export_dir or arguments.model_dir, exported=exported)
    output = Path(arguments.output)
    names = ("causal", "max_gap", "chunk_size", "time_column", "label_column", "resample")
    settings = {name: getattr(arguments, name) for name in names}
    settings["columns"] = None if arguments.columns is None else tuple(arguments.columns)
    tasks = plan_tasks(arguments.input, output, model, **settings)
    with claimed_folder(output, work="scoring", flag="--output"):
        tidy(tasks)
        missing = unfinished(tasks)
        answers = []
        if missing:
            from tqdm.auto import tqdm

            with tqdm(total=len(missing), unit=" files", disable=arguments.quiet) as bar:
                answers = run_on_dask(
                    missing,
                    scheduler=arguments.scheduler or "local",
                    num_workers=arguments.workers,
                    on_answer=lambda answer: bar.update(),
                )
            if (arguments.scheduler or "local") == "local":  # its workers have ended
                tidy(tasks, age=0.0)
    _report(answers, len(tasks) - len(missing), output)


def _check(arguments: argparse.Namespace) -> None:
    if arguments.dataset:
        raise InputError(
            f"--dataset {arguments.dataset} came with --engine, expected files; name them with "
            "--input"
        )
    for flag in ("entity", "entities"):
        if getattr(arguments, flag):
            raise InputError(
                f"--{flag} came with --engine, whose inputs are files; leave one of them out"
            )
    check_workers(arguments)


def _report(answers: list[dict], num_before: int, output: Path) -> None:
    """Says what was done, one line for each file that failed; exit code 1 if there is one."""
    failed = sorted((a for a in answers if "error" in a), key=lambda answer: answer["source"])
    done = [answer for answer in answers if "error" not in answer]
    num_rows = sum(answer["rows"] for answer in done)
    num_alarms = sum(answer["alarms"] for answer in done)
    print(
        f"{len(done)} files scored ({num_rows} time steps, {num_alarms} alarms), {num_before} "
        f"complete before, {len(failed)} failed: {output}"
    )
    if failed:
        sys.stdout.flush()
        for answer in failed[:_SHOWN_FAILURES]:
            print(f"FAILED {answer['source']}: {answer['error']}", file=sys.stderr)
        if len(failed) > _SHOWN_FAILURES:
            print(f"and {len(failed) - _SHOWN_FAILURES} further files", file=sys.stderr)
        raise SystemExit(1)
