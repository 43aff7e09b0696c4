"""Initial weights that depend on a seed alone."""

from __future__ import annotations

import contextlib
import random
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

_lock = threading.RLock()


@contextlib.contextmanager
def seeded_initialisers(seed: int) -> Iterator[None]:
    """Seeds the weights of the networks that a block builds.

    Keras draws the seeds of its initialisers from Python's generator, which belongs to all threads:
    one that draws in between, a web server's or an engine's, would change the weights. So this
    thread gets a generator of its own as long as the block runs, and Python's is left as it is.

    Args:
        seed: The same networks built with the same seed get the same weights.
    """
    from keras.src.random import seed_generator  # no public name leads there

    with _lock, mock.patch.object(seed_generator, "python_random", _OwnGenerator(seed)):
        yield


class _OwnGenerator:
    """The module `random`, but for the thread that made this: a generator with a seed."""

    def __init__(self, seed: int) -> None:
        self._generator = random.Random(seed)  # noqa: S311  weights are no secret
        self._thread = threading.get_ident()

    def __getattr__(self, name: str) -> Any:
        is_own = threading.get_ident() == self._thread
        return getattr(self._generator if is_own else random, name)
