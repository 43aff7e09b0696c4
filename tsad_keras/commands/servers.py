"""The command `serve`."""

from __future__ import annotations

import argparse


def serve(arguments: argparse.Namespace) -> None:
    """Runs the server until it is told to stop."""
    raise NotImplementedError
