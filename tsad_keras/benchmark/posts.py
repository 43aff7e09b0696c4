"""The post-processings that every method is offered, so that none of them makes a winner."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import lfilter

from tsad_keras.levels import BurstDetector, LogLevel
from tsad_keras.smoothing import CausalSmoother

# From scores `(num_timesteps,)` and those of normal data, which calibrate some, to scores.
Post = Callable[[np.ndarray, np.ndarray], np.ndarray]

_BURST_SPANS = 7  # a burst's past is so many times as long as the smoothing's middle scale


def raw(scores: np.ndarray, normal: np.ndarray) -> np.ndarray:
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
    """The `CausalSmoother`, which all score modes of the detector but the fused one use.

    Args:
        scores: `(num_timesteps,)`.
        span: Its middle scale.
    """
    return CausalSmoother(span).update(scores[:, None])[:, 0]


def with_bursts(scores: np.ndarray, normal: np.ndarray, span: int) -> np.ndarray:
    """`three_scales` on a log scale, plus what stands out of its own recent past.

    As the detector does with its reconstruction error.

    Args:
        scores: `(num_timesteps,)`, not negative.
        normal: Those of normal data.
        span: As for `three_scales`.
    """
    level = LogLevel.of(three_scales(normal, span))
    bursts = BurstDetector(LogLevel.of(normal), _BURST_SPANS * span).update(scores)
    return level.standardise(three_scales(scores, span)) + bursts


def posts(span: int) -> dict[str, Post]:
    """All of them by name; without a span only the first.

    Example:
        >>> list(posts(15)), list(posts(1))
        (['raw', 'ewma15', 'two15', 'scales15', 'burst15'], ['raw'])
    """
    found: dict[str, Post] = {"raw": raw}
    if span > 1:
        found[f"ewma{span}"] = lambda scores, _: causal_mean(scores, span)
        found[f"two{span}"] = lambda scores, _: two_way_mean(scores, span)
        found[shared_post(span)] = lambda scores, _: three_scales(scores, span)
        found[f"burst{span}"] = lambda scores, normal: with_bursts(scores, normal, span)
    return found


def shared_post(span: int) -> str:
    """Name of the one by which all methods are compared."""
    return f"scales{span}" if span > 1 else "raw"
