"""`train --strategy`: where a training runs, and who of its workers writes."""

from __future__ import annotations

import argparse
import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tsad_keras.commands.places import claimed_folder
from tsad_keras.errors import InputError
from tsad_keras.starting import quiet_start

if TYPE_CHECKING:
    from tsad_keras.training import Distribution

logger = logging.getLogger(__name__)


def make_distribution(arguments: argparse.Namespace) -> Distribution | None:
    """The replicas of `--strategy`; None for a single process.

    Raises:
        InputError: If flags or `TF_CONFIG` do not fit.
    """
    if arguments.strategy == "single":
        if arguments.replicas:
            raise InputError(
                f"--replicas {arguments.replicas} came without replicas; add --strategy mirrored"
            )
        return None
    with quiet_start():
        from tsad_keras.training import Distribution
    if arguments.strategy == "multi-worker":
        logger.info("waiting for all workers of TF_CONFIG")
    return Distribution(arguments.strategy, arguments.replicas)


@contextlib.contextmanager
def training_place(folder: Path, distribution: Distribution | None) -> Iterator[bool]:
    """Claims the model's folder for the worker that writes, and lets all workers end together.

    Yields:
        Whether this process is to write.
    """
    if distribution is None or distribution.is_chief:
        with claimed_folder(folder):
            yield True
    else:
        yield False
    if distribution is not None:
        distribution.wait_for_all()  # who leaves earlier looks lost to the others
