"""TensorFlow's start without its notes."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_start() -> Iterator[None]:
    """Keeps TensorFlow's start-up notes off standard error, which are none of the user's business.

    They come from native code before its log level is read, so only the file descriptor helps.
    """
    try:
        saved = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(null, 2)
        yield
        import tensorflow as tf

        tf.config.list_physical_devices()  # says, too, that there is no graphics card
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


@contextlib.contextmanager
def quiet_readers() -> Iterator[None]:
    """Keeps notes off the log that are of use for one series and not for hundreds.

    Which column is the time, and that TensorFlow traces each of many models.
    """
    before = {}
    for name, level in (("tsad_keras.datasets", logging.WARNING), ("tensorflow", logging.ERROR)):
        logger = logging.getLogger(name)
        before[logger] = logger.level
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
