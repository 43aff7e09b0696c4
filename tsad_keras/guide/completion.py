"""Completion scripts for shells, made from the parser by shtab."""

from __future__ import annotations

import argparse

from tsad_keras.config import PRESETS
from tsad_keras.datasets import DATASET_NAMES

SHELLS = ("bash", "zsh", "fish", "tcsh")

# The last part of a flag's name: what its value is.
_FOLDERS = ("_dir",)
_FILES = ("_file", "input", "labels", "scores", "config", "events", "state")
_OUTPUT_FOLDERS = ("reproduce", "benchmark", "explain")  # whose --output is a folder
_LOCAL = ("synthetic", "own")  # nothing to download


def completion_script(parser: argparse.ArgumentParser, shell: str) -> str:
    """A script that completes the command line of a parser.

    Args:
        parser: The parser of all commands; it is changed, so hand in one of its own.
        shell: One of `SHELLS`.

    Returns:
        The script; it calls nothing but the shell.
    """
    import shtab

    for name, command in _commands(parser):
        for action in command._actions:
            _tell_kind(action, name)
    return shtab.complete(parser, shell)


def _commands(parser: argparse.ArgumentParser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _tell_kind(action: argparse.Action, command: str) -> None:
    """Says what completes a value: names, folders or files."""
    import shtab

    if action.nargs == 0 or action.choices:
        return
    if action.dest in ("dataset", "datasets") or (action.dest, command) == ("name", "reproduce"):
        action.choices = DATASET_NAMES
    elif (action.dest, command) == ("name", "download"):
        action.choices = (*(name for name in DATASET_NAMES if name not in _LOCAL), "all")
    elif action.dest == "preset":
        action.choices = tuple(PRESETS)
    elif action.dest.endswith(_FOLDERS) or (action.dest == "output" and command in _OUTPUT_FOLDERS):
        action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]
    elif action.dest.endswith(_FILES) or action.dest == "output":
        action.complete = shtab.FILE  # type: ignore[attr-defined]
