"""The command `stream`."""

from __future__ import annotations

import argparse


def stream(arguments: argparse.Namespace) -> None:
    """Scores rows from standard input as they come."""
    raise NotImplementedError
