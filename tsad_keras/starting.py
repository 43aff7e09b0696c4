"""TensorFlow's start without its notes."""

from __future__ import annotations

import contextlib
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
