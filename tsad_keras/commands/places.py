"""Where commands write: checks before any work is done, and one training a folder at a time."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tsad_keras.errors import InputError
from tsad_keras.files import is_stream, made_folder


def check_folder(folder: Path) -> None:
    """Raises `InputError` if nothing can be written to a folder; makes nothing.

    Args:
        folder: The folder, or one that is still to be made.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    try:
        if not existing.is_dir():
            raise InputError(
                f"cannot write to {folder}: {existing} is not a folder; choose another folder"
            )
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to {folder}: {error.strerror or error}; choose a folder you may write to"
        ) from error


def check_output(output: Path, inputs: list[str | None]) -> None:
    """Raises `InputError` if a file cannot be written, or would replace one that is read.

    Args:
        output: The file, whose folder may still have to be made; or a pipe or device.
        inputs: Files that the command reads; None are skipped.
    """
    if output.is_dir():
        raise InputError(f"{output} is a folder, expected a file name; choose another path")
    if is_stream(output):
        return
    for path in inputs:
        if path is not None and output.exists() and Path(path).exists() and output.samefile(path):
            raise InputError(
                f"--output {output} is also the file that is read, expected another path; it "
                "would be replaced"
            )
    check_folder(output.parent)


@contextlib.contextmanager
def claimed_folder(
    folder: Path, work: str = "training", flag: str = "--model-dir"
) -> Iterator[None]:
    """Keeps other trainings out of a folder while one writes to it.

    The claim is a lock on the folder itself: it leaves no file and ends with the process. If the
    block raises and has written nothing, a folder that was made for it goes away again.

    Args:
        folder: Made if missing.
        work: What is going on there, for the message.
        flag: The flag that names the folder, likewise.

    Raises:
        InputError: If the folder cannot be written to, or another process has it.
    """
    check_folder(folder)
    with made_folder(folder):
        descriptor = _lock(folder, work, flag)
        try:
            yield
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _lock(folder: Path, work: str, flag: str) -> int | None:
    """Returns an open descriptor that holds the lock; None where there are no such locks."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise InputError(
            f"another {work} is writing to {folder}, expected one at a time; wait for its end or "
            f"choose another {flag}"
        ) from error
    except OSError:  # a file system without locks
        os.close(descriptor)
        return None
    return descriptor
