"""Python processes of our own, one thread each: lines of JSON in, lines of JSON out.

The parent holds a `Child`; the module that the child runs calls `tasks` and `answer`.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

# Seconds mean the same with any number of processes, and sums come out in the same order.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


class ChildDiedError(Exception):
    """A child ended with an exit code that says that it failed; the message says which."""


class Child:
    """A fresh interpreter that runs a module.

    It ends with its parent, however that ends: a child notices that its standard input is closed.

    Args:
        module: Dotted name of the module, which calls `tasks`.

    Attributes:
        process: The process; others may kill it.
    """

    def __init__(self, module: str) -> None:
        root = str(Path(__file__).parents[1])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        environment = {
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **os.environ,
            **dict.fromkeys(_THREADS, "1"),
            "PYTHONPATH": path,
        }
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `close`)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env=environment,
            start_new_session=True,  # Ctrl-C is for the parent, which then ends its children
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def send(self, task: Any) -> None:
        """Hands over a task; one that the child did not live to read is noticed by `answers`."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(task).encode() + b"\n")
            self.process.stdin.flush()

    def answers(self) -> Iterator[Any]:
        """Yields what the child says, until it ends.

        Raises:
            ChildDiedError: If it ends with a code other than 0.
        """
        for line in self.process.stdout:
            yield json.loads(line)
        code = self.process.wait()
        if code:
            self._errors.seek(0)
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            raise ChildDiedError(f"its process ended with code {code}: {(lines or ['-'])[-1]}")

    def close(self) -> None:
        """Ends the child at once, if it has not ended by itself."""
        self.process.kill()  # of no effect on one that has ended
        self.process.wait()
        self.process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self._errors.close()


# --- in the child --------------------------------------------------------------------------------


class Answers:
    """The way back to the parent; nothing else goes to standard output from now on."""

    def __init__(self) -> None:
        self._file: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    def send(self, value: Any) -> None:
        """Writes one line."""
        self._file.write(json.dumps(value) + "\n")
        self._file.flush()


def tasks() -> Iterator[Any]:
    """Yields the parent's tasks. When its end of standard input closes, the process ends at once.

    A thread waits for that, so that a task is stopped in its middle, too.
    """
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


def end() -> None:
    """Ends the process with code 0, whatever threads it still has."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
