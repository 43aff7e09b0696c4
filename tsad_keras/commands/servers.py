"""The command `serve`."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
from pathlib import Path

from tsad_keras.errors import InputError
from tsad_keras.starting import quiet_start

TOKEN_VARIABLE = "TSAD_TOKEN"
_NEEDED = ("fastapi", "uvicorn", "orjson", "prometheus_client")


def serve(arguments: argparse.Namespace) -> None:
    """Runs the server until it is told to stop."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"`serve` needs {', '.join(missing)}; install: pip install -e '.[serve]' in the folder "
            "of the repository"
        )
    token = read_token(arguments.token_file)
    with quiet_start():
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads or _half_the_cores())
        from tsad_keras.serving import run
        from tsad_keras.serving.settings import ServingSettings

    names = {field.name for field in dataclasses.fields(ServingSettings)}
    given = {name: value for name, value in vars(arguments).items() if name in names}
    run.serve(
        Path(arguments.export_dir),
        ServingSettings(**given),
        model_name=arguments.model_name,
        token=token,
        on_start=lambda url: print(f"serving {url}", flush=True),
    )


def read_token(path: str | None) -> str | None:
    """The token of a file or of the environment; None if there is neither.

    Raises:
        InputError: If the file cannot be read, or there is no token in it.
    """
    source, text = f"${TOKEN_VARIABLE}", os.environ.get(TOKEN_VARIABLE)
    if path is not None:
        source = path
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{path} cannot be read ({error}), expected a file with the token"
            ) from error
    if text is None:
        return None
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(
            f"{source} holds no token, expected one line of printable characters without spaces"
        )
    return token


def _half_the_cores() -> int:
    """Two passes run at a time; more threads would only wait for each other."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, cores // 2)
