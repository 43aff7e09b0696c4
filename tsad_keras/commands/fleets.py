"""`score --engine`: many files on many cores or machines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tsad_keras.commands.places import claimed_folder
from tsad_keras.errors import InputError

_SHOWN_FAILURES = 100  # lines on standard error; further ones are counted


def single_input(arguments: argparse.Namespace) -> None:
    """Makes `arguments.input` one file or None; refuses what only an engine can do."""
    if arguments.input and len(arguments.input) > 1:
        raise InputError(
            f"{len(arguments.input)} files came as --input, expected one without an engine; add "
            "--engine dask"
        )
    for flag in ("scheduler", "workers"):
        if getattr(arguments, flag):
            raise InputError(f"--{flag} came without an engine; add --engine dask or leave it out")
    arguments.input = arguments.input[0] if arguments.input else None


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
    if arguments.workers and arguments.scheduler not in (None, "local"):
        raise InputError(
            f"--workers {arguments.workers} came with a scheduler that has workers of its own; "
            "leave one of the two out"
        )


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
