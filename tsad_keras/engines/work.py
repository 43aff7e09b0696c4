"""What a worker does with one file. Any engine that can call a function can run this."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

from tsad_keras.errors import InputError
from tsad_keras.files import write_json
from tsad_keras.inference.export_folders import find_version
from tsad_keras.persistence import read_rate

MANIFEST_VERSION = 1
_READING = ("time_column", "label_column", "columns", "resample")
_lock = threading.Lock()


@dataclasses.dataclass(frozen=True)
class ModelPlace:
    """Where a model lies, and which one it is.

    Attributes:
        folder: Of a trained model, or one version of an exported one.
        exported: Which of the two.
        sha256: Hash of all files that scores depend on.
    """

    folder: str
    exported: bool
    sha256: str


@dataclasses.dataclass(frozen=True)
class ScoreTask:
    """One file to be scored, and all that its scores depend on.

    Attributes:
        source: The file to read, the same path on every worker.
        output: The CSV file to write, likewise.
        manifest: A JSON file that says what `output` was made of, written after it.
        model: The model.
        causal: Whether to judge each row by what came before it only.
        chunk_size: Rows read at a time; does not change scores.
        time_column: Name of the time column; None finds it.
        label_column: Likewise.
        columns: Names of the columns to read; None takes all.
        max_gap: Seconds (or units of numeric times) between rows that begin a new series.
        resample: What `--resample` says.
    """

    source: str
    output: str
    manifest: str
    model: ModelPlace
    causal: bool = False
    chunk_size: int = 10_000
    time_column: str | None = None
    label_column: str | None = None
    columns: tuple[str, ...] | None = None
    max_gap: float | None = None
    resample: str | None = None


def run_task(task: ScoreTask) -> dict[str, Any]:
    """Scores one file, unless it has been scored already.

    The output appears when it is whole, then its manifest: whatever is killed in between, the next
    run finds either both or does the file again, with the same result.

    Returns:
        `source, rows, alarms, process`; or `source, error, process` if the file could not be
        scored. `process` is the number of the worker's process.
    """
    answer = {"source": task.source, "process": os.getpid()}
    try:
        found = read_manifest(task)
        if found is not None:  # an attempt before this one, whose worker then died
            return {**answer, "rows": found["rows"], "alarms": found["alarms"]}
        made_of = _made_of(task)
        rows, alarms = _score(task)
        if _made_of(task) != made_of:
            raise InputError(f"{task.source} changed while it was read; score it again")
        facts = {"rows": rows, "alarms": alarms, "output": _facts(task.output), **made_of}
        write_json(task.manifest, facts)
        return {**answer, "rows": rows, "alarms": alarms}
    except InputError as error:
        message = str(error)
    except (OSError, MemoryError) as error:
        message = f"{type(error).__name__}: {error}"
    except Exception as error:  # one file must not end the run of ten thousand others
        message = f"unexpected {type(error).__name__}: {error}"
    return {**answer, "error": " ".join(message.split())}


def read_manifest(task: ScoreTask) -> dict[str, Any] | None:
    """What is known of a complete output of this task; None if it has to be scored.

    An output of another input, another model or other settings does not count, nor one that was
    changed afterwards.
    """
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        found = json.loads(Path(task.manifest).read_text(encoding="utf-8"))
        expected = {**_made_of(task), "output": _facts(task.output)}
        if all(found[name] == value for name, value in expected.items()):
            return {"rows": int(found["rows"]), "alarms": int(found["alarms"])}
    return None


def locate_model(folder: str | os.PathLike[str], *, exported: bool) -> ModelPlace:
    """Finds a model and hashes its files; loads nothing.

    Args:
        folder: Of a trained model; or of an exported version, or of several, whose highest is
            taken.
        exported: Which of the two.

    Raises:
        InputError: If there is no such model.
    """
    place = Path(folder).absolute()
    if exported:
        place = find_version(place)
        names = ["saved_model.pb", "assets/metadata.json"]
        names += [str(p.relative_to(place)) for p in (place / "variables").glob("*")]
    else:
        names = ["detector.npz"]
        names += [str(path.relative_to(place)) for path in place.glob("members/*/detector.npz")]
    digest = hashlib.sha256()
    for name in sorted(names):
        path = place / name
        if not path.is_file():
            raise InputError(
                f"{path} does not exist, expected the folder of a model; check "
                f"--{'export' if exported else 'model'}-dir"
            )
        digest.update(f"{name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            for block in iter(lambda file=file: file.read(1 << 20), b""):
                digest.update(block)
    return ModelPlace(str(place), exported, digest.hexdigest())


def open_model(folder: str | os.PathLike[str], *, exported: bool) -> Any:
    """Loads a trained model, or an exported one without Keras."""
    if exported:
        from tsad_keras.inference.exported import load_export

        return load_export(folder)
    from tsad_keras.detector import load_detector

    return load_detector(folder)


@functools.lru_cache(maxsize=2)
def _cached(place: ModelPlace) -> Any:
    here = locate_model(place.folder, exported=place.exported)
    if here.sha256 != place.sha256:
        raise InputError(
            f"the model in {place.folder} is another one than when the run began, expected the "
            "same on every worker until the end; start again"
        )
    return open_model(place.folder, exported=place.exported)


def _score(task: ScoreTask) -> tuple[int, int]:
    from tsad_keras.inference.score_files import score_file

    with _lock:  # two threads of a worker shall not both load it
        model = _cached(task.model)
    return score_file(
        model,
        task.source,
        task.output,
        causal=task.causal,
        chunk_size=task.chunk_size,
        max_gap=task.max_gap,
        rate=None if task.model.exported else read_rate(Path(task.model.folder)),
        **{name: getattr(task, name) for name in _READING},
    )


def _made_of(task: ScoreTask) -> dict[str, Any]:
    """All that the content of an output depends on."""
    return {
        "manifest_version": MANIFEST_VERSION,
        "source": task.source,
        "input": _facts(task.source),
        "model_sha256": task.model.sha256,
        "causal": task.causal,
        "max_gap": task.max_gap,
        "reading": {name: _as_json(getattr(task, name)) for name in _READING},
    }


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _facts(path: str) -> dict[str, int]:
    """Size and time of the last change of a file: what tells that it is another one."""
    try:
        stat = Path(path).stat()
    except FileNotFoundError as error:
        raise InputError(
            f"{path} not found, expected a file that every worker sees under this path"
        ) from error
    return {"size": stat.st_size, "modified_ns": stat.st_mtime_ns}
