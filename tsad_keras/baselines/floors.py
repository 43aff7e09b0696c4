"""What needs no method: chance, and always the same answer."""

from __future__ import annotations

import numpy as np

from tsad_keras.baselines.base import Baseline


class RandomBaseline(Baseline):
    """Uniform scores that never saw the data: what chance alone reaches.

    Args:
        seed: Two calls on series of one length give the same scores.
        **settings: As for `Baseline`.
    """

    name = "Random"
    is_random = True

    def __init__(self, seed: int = 0, **settings) -> None:
        super().__init__(**settings)
        self.seed = seed

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return np.random.default_rng(self.seed).random(len(scaled))[:, None]


class AlwaysAlarmBaseline(Baseline):
    """A constant score and an alarm at every time step: the floor of F1."""

    name = "Always alarm"

    def choose_threshold(self, scores: np.ndarray) -> float:
        return float(np.min(scores))  # every rule would go above a constant; here all is alarm

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return np.ones((len(scaled), 1))
