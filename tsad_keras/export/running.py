"""The graph of an export read without running it, and the process that runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import tsad_keras
from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays

_TIMEOUT = 600  # seconds for one process; a minute would do on a slow machine


def read_signatures(folder: Path) -> Any:
    """The signatures in `saved_model.pb` by name, as `SignatureDef` messages.

    Raises:
        InputError: If it holds no graph to serve.
    """
    from tensorflow.core.protobuf import saved_model_pb2

    content = (folder / "saved_model.pb").read_bytes()
    saved_model = saved_model_pb2.SavedModel.FromString(content)
    for meta_graph in saved_model.meta_graphs:
        if "serve" in meta_graph.meta_info_def.tags:
            return meta_graph.signature_def
    raise InputError("saved_model.pb has no graph tagged 'serve'")


def shape_of(info: Any) -> list[int]:
    """The shape in a `TensorInfo` message, -1 where any size will do; `[]` if its rank is open."""
    return [] if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]


def run_worker(
    mode: str, folder: Path, arrays: dict[str, np.ndarray], header: Any
) -> tuple[dict[str, np.ndarray], Any]:
    """Runs `export.worker` in a process of its own and returns what it wrote.

    Args:
        mode: One of its modes.
        folder: A version folder.
        arrays: Its input.
        header: Likewise.

    Raises:
        InputError: If it fails; the message ends with the last line of its standard error.
    """
    root = str(Path(tsad_keras.__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as name:
        source, target = Path(name) / "in.npz", Path(name) / "out.npz"
        write_arrays(source, arrays, header)
        command = [sys.executable, "-m", "tsad_keras.export.worker", mode]
        done = subprocess.run(
            [*command, str(folder.absolute()), str(source), str(target)],
            capture_output=True,
            text=True,
            errors="replace",
            env=environment,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
            raise InputError(f"the process failed: {lines[-1]}")
        return read_arrays(target)
