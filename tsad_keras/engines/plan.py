"""From patterns of input files to tasks: which file goes where, and which are done already."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from tsad_keras.datasets.table_files import EXTENSIONS
from tsad_keras.engines.work import ModelPlace, ScoreTask, read_manifest
from tsad_keras.errors import InputError
from tsad_keras.files import remove_abandoned

MANIFESTS = ".scored"  # a folder within the output folder


def plan_tasks(
    patterns: Sequence[str], output_folder: str | os.PathLike[str], model: ModelPlace, **settings
) -> list[ScoreTask]:
    """One task for each input file.

    An output is named after its input and lies as deep in the output folder as the input lies below
    the folder that all patterns share: `logs/*/cpu.parquet` gives `web-1/cpu.csv`, `web-2/cpu.csv`.

    Args:
        patterns: Paths, or patterns with `*`, `?`, `[...]` and `**` (any depth). What lies in
            the output folder is no input.
        output_folder: Where outputs go.
        model: The model.
        **settings: `causal, chunk_size, time_column, label_column` of `ScoreTask`.

    Raises:
        InputError: If a pattern matches nothing, or two inputs would have the same output.
    """
    folder = _absolute(output_folder)
    roots, sources = [], set()
    for pattern in patterns:
        found = [path for path in _expand(pattern) if folder not in path.parents]
        if not found:
            raise InputError(
                f"no file matches {pattern!r} (what lies in {folder} does not count), expected "
                f"{', '.join(EXTENSIONS)} files; check --input, and quote it: 'folder/*.parquet'"
            )
        sources.update(found)
        roots.append(_fixed_part(pattern))
    root = os.path.commonpath(roots)
    tasks: dict[str, ScoreTask] = {}
    for source in sorted(sources):
        name = os.path.relpath(source, root)
        name = name[: -len(_extension(source))]
        output = str(folder / f"{name}.csv")
        if output in tasks:
            raise InputError(
                f"{tasks[output].source} and {source} would both be scored into {output}, "
                "expected inputs that differ in more than their ending; rename one"
            )
        manifest = str(folder / MANIFESTS / f"{name}.json")
        tasks[output] = ScoreTask(str(source), output, manifest, model, **settings)
    return list(tasks.values())


def unfinished(tasks: Sequence[ScoreTask]) -> list[ScoreTask]:
    """Those whose output is missing, or was made of another input, model or settings."""
    return [task for task in tasks if read_manifest(task) is None]


def tidy(tasks: Sequence[ScoreTask], *, age: float = 5.0) -> None:
    """Removes half-written files that killed workers left beside outputs and manifests.

    Args:
        tasks: What was run; no worker may be at them if `age` is 0.
        age: Seconds since the last change of what is removed.
    """
    paths = [path for task in tasks for path in (task.output, task.manifest)]
    for folder in {Path(path).parent for path in paths}:
        remove_abandoned(folder, age=age)


def _expand(pattern: str) -> list[Path]:
    path = _absolute(pattern)
    if path.is_dir():
        raise InputError(
            f"{pattern} is a folder, expected files; write '{pattern.rstrip('/')}/*.parquet'"
        )
    if path.is_file():  # also if its name looks like a pattern
        return [path]
    names = glob.glob(pattern, recursive=True)  # noqa: PTH207  takes absolute patterns, too
    found = [path for path in map(_absolute, names) if path.is_file()]
    for path in found:
        if not _extension(path):
            raise InputError(
                f"{path} matches {pattern!r} and is none of {', '.join(EXTENSIONS)}; write a "
                "narrower pattern"
            )
    return found


def _fixed_part(pattern: str) -> str:
    """The folder above the first wildcard, or that of a single file."""
    path = _absolute(pattern)
    if path.is_file():
        return str(path.parent)
    parts = path.parts[:-1]
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return str(Path(*parts[:fixed]))


def _absolute(path: str | os.PathLike[str]) -> Path:
    """Without `..`; links stay links, because they may have names that their targets have not."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _extension(path: Path) -> str:
    return next((e for e in EXTENSIONS if path.name.lower().endswith(e)), "")
