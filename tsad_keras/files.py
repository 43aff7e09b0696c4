"""Atomic writing of files and folders: a reader sees the old or the whole new, never a half."""

from __future__ import annotations

import contextlib
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from tsad_keras.errors import InputError


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], mode: str = "w") -> Iterator[IO[Any]]:
    """Opens a temporary file beside `path` and renames it over `path` when the block succeeds.

    Args:
        path: Where the file shall appear; missing parent folders are created. A symbolic link
            stays one and its target is replaced; a pipe or a device is written to directly.
        mode: `"w"` for UTF-8 text or `"wb"` for bytes.

    Yields:
        The open file object. If the block raises, `path` is left as it was, and folders that were
        made for it are gone again.

    Raises:
        InputError: If the folder cannot be written to or the disk is full.
    """
    path = Path(path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder, expected a file name; choose another path")
        if is_stream(path):
            with path.open(mode, encoding=encoding, newline=newline) as file:
                yield file
            return
        target = Path(os.path.realpath(path))
        with made_folder(target.parent), _temporary_beside(target) as (descriptor, temporary):
            with os.fdopen(descriptor, mode, encoding=encoding, newline=newline) as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # mkstemp makes private files; give the result what any new file would have.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
    except BrokenPipeError:
        raise  # nobody reads on: not the fault of the path
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose a folder "
            "you may write to"
        ) from error


def is_stream(path: Path) -> bool:
    """Whether a path is a pipe or a device, which cannot be replaced by a whole new file."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Makes a folder for a block; if the block raises, what was made and is empty goes away."""
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty: somebody else uses it
            for made in missing:
                made.rmdir()
        raise


@contextlib.contextmanager
def atomic_folder(parent: Path, choose_name: Callable[[], str]) -> Iterator[Path]:
    """Makes a folder whose content appears all at once.

    Args:
        parent: Where it shall appear; made if missing.
        choose_name: Called when the content is complete, and again if that name has been taken
            meanwhile.

    Yields:
        A hidden temporary folder to fill. If the block raises, nothing is left of it.

    Raises:
        InputError: If the folder cannot be written to or the disk is full.
    """
    prefix = ".unfinished-"
    try:
        with made_folder(parent):
            for left in parent.glob(f"{prefix}*"):
                _remove_abandoned_folder(left)
            temporary = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            descriptor = os.open(temporary, os.O_RDONLY)
            try:
                _try_lock(descriptor)
                yield temporary
                _make_durable(temporary)
                temporary.chmod(0o777 & ~_umask())
                _rename_folder(temporary, parent, choose_name)
            finally:
                os.close(descriptor)
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(
            f"cannot write to {parent}: {error.strerror or error}; free some space or choose a "
            "folder you may write to"
        ) from error


def _rename_folder(temporary: Path, parent: Path, choose_name: Callable[[], str]) -> None:
    for _ in range(100):  # another process may take the name between the choice and the renaming
        try:
            temporary.rename(parent / choose_name())
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                raise
    raise OSError(errno.EEXIST, "every name that was tried is taken")


def _make_durable(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)


def _remove_abandoned_folder(folder: Path) -> None:
    """Removes what a killed process left; a living one holds a lock on its folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            if time.time() - folder.stat().st_mtime > 5 and _try_lock(descriptor):
                shutil.rmtree(folder)
        finally:
            os.close(descriptor)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


@contextlib.contextmanager
def _temporary_beside(path: Path) -> Iterator[tuple[int, Path]]:
    """Makes an empty file in the same folder and removes it, unless it has been renamed."""
    _remove_abandoned(path)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    temporary = Path(name)
    try:
        _try_lock(descriptor)
        yield descriptor, temporary
    finally:
        temporary.unlink(missing_ok=True)


def _remove_abandoned(path: Path) -> None:
    remove_abandoned(path.parent, glob.escape(path.name))


def remove_abandoned(folder: Path, name: str = "*", *, age: float = 5.0) -> None:
    """Removes temporary files that killed processes left: nobody writes to them, nobody locks them.

    Args:
        folder: Where `atomic_write` wrote.
        name: Pattern of the names of the files that were to be written.
        age: Seconds since the last change. A lock ends with its process; the age spares a file that
            is just being made or renamed. 0 if nobody is writing.
    """
    for temporary in folder.glob(f".{name}.*.tmp"):
        with contextlib.suppress(OSError), temporary.open("rb") as file:
            if time.time() - temporary.stat().st_mtime >= age and _try_lock(file.fileno()):
                temporary.unlink()


def _try_lock(descriptor: int) -> bool:
    """Whether the file is locked now, for this process and until it is closed."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # no POSIX system, no locks here, or another process has it
        return False
    return True


def folder_name(entity: str) -> str:
    """An entity's name as that of one folder, which cannot lead out of its parent.

    Example:
        >>> folder_name("valve1/0"), folder_name("../web 1")
        ('valve1_0', '_web_1')
    """
    return re.sub(r"[^\w.+-]+", "_", entity).strip(".") or "entity"


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Writes `value` as indented JSON, atomically. NaN and infinity are refused by `json`.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_json(pathlib.Path(folder) / "a.json", {"f1_score": 0.5})
        ...     (pathlib.Path(folder) / "a.json").read_text().split()
        ['{', '"f1_score":', '0.5', '}']
    """
    text = json.dumps(value, indent=2, allow_nan=False)
    with atomic_write(path) as file:
        file.write(text + "\n")


def write_arrays(
    path: str | os.PathLike[str], arrays: dict[str, np.ndarray], header: dict[str, Any]
) -> None:
    """Writes arrays and a JSON header into one `.npz` file, atomically and without pickle.

    A hash of the arrays' names and values goes with them, so that damage is noticed.

    Example:
        >>> import tempfile, pathlib
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "a.npz"
        ...     write_arrays(path, {"mean": np.array([1.0, 2.0])}, {"seed": 3})
        ...     read_arrays(path)
        ({'mean': array([1., 2.])}, {'seed': 3})
    """
    text = json.dumps({"sha256": arrays_digest(arrays), "header": header})
    encoded = np.frombuffer(text.encode(), np.uint8)
    with atomic_write(path, "wb") as file:
        np.savez(file, __header__=encoded, **arrays)


def read_arrays(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads what `write_arrays` wrote.

    Raises:
        ValueError: If the file cannot be read, is damaged or is something else.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        stored = json.loads(arrays.pop("__header__").tobytes())
        digest, header = stored["sha256"], stored["header"]
    except Exception as error:  # a damaged archive raises nearly anything, struct.error among it
        raise ValueError(f"{type(error).__name__}: {error}".rstrip(": ")) from error
    if digest != arrays_digest(arrays):
        raise ValueError("its hash does not match")
    return arrays, header


def arrays_digest(arrays: dict[str, np.ndarray], text: str = "") -> str:
    """The SHA-256 of named arrays, their types and shapes, and a text, in hexadecimal digits."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        value = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
