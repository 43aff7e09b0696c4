"""Initial weights that depend on a seed alone."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator


@contextlib.contextmanager
def seeded_initialisers(seed: int) -> Iterator[None]:
    """Seeds the weights of the networks that a block builds.

    Keras draws the seeds of its initialisers from Python's generator; no trace is left in it.

    Args:
        seed: The same networks built with the same seed get the same weights.
    """
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
