"""The post-processings that every method is offered, so that none of them makes a winner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from tsad_keras.smoothing import CausalSmoother

Post = Callable[[np.ndarray], np.ndarray]


def raw(scores: np.ndarray) -> np.ndarray:
    """Scores as they are."""
    return scores


def causal_mean(scores: np.ndarray, span: int) -> np.ndarray:
    """Exponentially weighted mean of the past; the first score stands for all before it.

    Args:
        scores: `(num_timesteps,)`.
        span: Its weight falls to 1 / e in about span / 2 time steps.

    Example:
        >>> causal_mean(np.array([0.0, 4.0, 4.0]), span=3).tolist()
        [0.0, 2.0, 3.0]
    """
    alpha = 2.0 / (span + 1.0)
    start = [(1.0 - alpha) * scores[0]]
    return lfilter([alpha], [1.0, alpha - 1.0], scores, zi=start)[0]


def two_way_mean(scores: np.ndarray, span: int) -> np.ndarray:
    """The same forwards and then backwards: no delay, but it looks ahead.

    Args:
        scores: `(num_timesteps,)`.
        span: As for `causal_mean`.
    """
    return causal_mean(causal_mean(scores, span)[::-1], span)[::-1]


def three_scales(scores: np.ndarray, span: int) -> np.ndarray:
    """The detector's `CausalSmoother`.

    Args:
        scores: `(num_timesteps,)`.
        span: Its middle scale.
    """
    return CausalSmoother(span).update(scores[:, None])[:, 0]


def posts(span: int) -> dict[str, Post]:
    """All of them by name; without a span only the first.

    Example:
        >>> list(posts(11)), list(posts(1))
        (['raw', 'ewma11', 'two11', 'scales11'], ['raw'])
    """
    found: dict[str, Post] = {"raw": raw}
    if span > 1:
        found[f"ewma{span}"] = lambda scores: causal_mean(scores, span)
        found[f"two{span}"] = lambda scores: two_way_mean(scores, span)
        found[shared_post(span)] = lambda scores: three_scales(scores, span)
    return found


def shared_post(span: int) -> str:
    """Name of the one that the detector itself uses."""
    return f"scales{span}" if span > 1 else "raw"
