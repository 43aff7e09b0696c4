"""What a configuration is worth: how well it finds anomalies injected into held-out normal rows."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from tsad_keras.config import Config
from tsad_keras.datasets.base import split_tail
from tsad_keras.detector import ContrastiveGANDetector
from tsad_keras.errors import InputError
from tsad_keras.evaluation import vus_pr_score
from tsad_keras.tuning import injection

HELD_OUT_FRACTION = 0.2
_LEAST_ROWS = 1000  # of held-out rows of a series, if a fifth of it is less and half of it is not


class InjectionObjective:
    """VUS-PR of a detector on held-out normal rows with injected anomalies.

    Only the training series is used. Its last part is held out: no network is trained on it, and a
    detector's own validation part (which stops the training and gives the threshold) lies before
    it. The held-out rows stand at the end, as later data do.

    A stage is one training and one set of anomalies, both with a seed of their own. All
    configurations see the same stages, so that they are compared on the same ground, and the mean
    over stages forgives a configuration no lucky seed.

    Args:
        series: Arrays `(num_timesteps, num_features)` of normal history.
        feature_names: Names of the columns.
        num_stages: Trainings of a configuration that is not given up before.
        largest_window: The largest `window_size` that will be asked for.

    Raises:
        InputError: If no series is long enough to hold rows out.
    """

    def __init__(
        self,
        series: Sequence[np.ndarray],
        feature_names: Sequence[str],
        *,
        num_stages: int,
        largest_window: int,
    ) -> None:
        self.num_stages = num_stages
        self._names = tuple(feature_names)
        parts = [_split(values, largest_window) for values in series]
        self._heads = [head for head, _ in parts]
        self._tails = [tail for _, tail in parts if len(tail)]
        if not self._tails:
            raise InputError(
                f"the longest training series has {max(map(len, series))} time steps, expected at "
                f"least {4 * largest_window} (held-out rows, and windows of {largest_window} to "
                "train on and to validate); pass a longer series or fix a smaller --window-size"
            )
        joined = np.concatenate(self._heads)
        self._spread = np.nan_to_num(np.nanstd(np.where(np.isfinite(joined), joined, np.nan), 0))
        self._stages = [
            [
                injection.inject(tail, self._spread, 1000 * stage + number)
                for number, tail in enumerate(self._tails)
            ]
            for stage in range(num_stages)
        ]

    @property
    def num_held_out(self) -> int:
        """Number of held-out rows."""
        return sum(map(len, self._tails))

    def fingerprint(self) -> str:
        """A hash that is equal only for the same rows, anomalies and number of stages."""
        digest = hashlib.sha256(json.dumps([self.num_stages, list(self._names)]).encode())
        for values in self._heads:
            digest.update(np.ascontiguousarray(values).tobytes())
        for stage in self._stages:
            for injected in stage:
                digest.update(np.ascontiguousarray(injected.values).tobytes())
        return digest.hexdigest()

    def __call__(self, config: Config, stage: int) -> float:
        """Trains and judges once.

        Args:
            config: The settings; `stage` is added to its seed.
            stage: Which, from 0.

        Returns:
            VUS-PR, in [0, 1].

        Raises:
            TrainingDivergedError: If the training failed.
        """
        config = dataclasses.replace(config, seed=config.seed + stage)
        keras.utils.clear_session()  # or memory would grow with each training
        tf.get_logger().setLevel("ERROR")  # says that networks made in a loop are traced anew
        detector = ContrastiveGANDetector.from_config(config)
        detector.fit(self._heads, feature_names=self._names, verbose=False)
        scores = detector.decision_function([injected.values for injected in self._stages[stage]])
        flags = np.concatenate([injected.flags for injected in self._stages[stage]])
        return vus_pr_score(flags, scores)


def _split(values: np.ndarray, largest_window: int) -> tuple[np.ndarray, np.ndarray]:
    """Head and held-out tail; the tail is empty if the head could not be trained on."""
    if len(values) < 4 * largest_window:
        return values, values[:0]
    fraction = max(HELD_OUT_FRACTION, min(0.5, _LEAST_ROWS / len(values)))
    head, tail = split_tail(values, fraction, largest_window)
    if len(head) < 2 * largest_window:
        head, tail = values[: 2 * largest_window], values[2 * largest_window :]
    return head, tail
