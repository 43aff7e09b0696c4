"""A threshold that follows slow drift of the normal level. Off unless asked for."""

from __future__ import annotations

import numpy as np

from tsad_keras.errors import InputError


class Recalibration:
    """Moves the threshold with the mean of the scores that are judged normal.

    threshold_t = threshold * level_t / level, where level_t is an exponentially weighted mean over
    about `span` normal rows (those below threshold_t) and level its value on validation data. So
    the tail that the threshold was chosen for is kept and scaled, as in DSPOT the tail is kept and
    shifted by a moving average of the normal values.

    What it cannot do: a jump of the level beyond the threshold is judged anomalous and is never
    learnt. And what grows slowly enough is learnt as normal, an attack that does so, too.

    Args:
        threshold: The threshold that was chosen without labels.
        level: The mean normal score it belongs to.
        span: Normal rows; 0 = off, the threshold stays.

    Example:
        >>> recalibration = Recalibration(threshold=4.0, level=1.0, span=1)
        >>> recalibration.update(np.array([2.0, 7.0, 9.0])).tolist()
        [4.0, 8.0, 28.0]

    Reference:
        Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017,
        section 4.2 (DSPOT).
    """

    def __init__(self, *, threshold: float, level: float, span: int = 0) -> None:
        if span < 0:
            raise InputError(f"recalibration_span is {span}, expected 0 (off) or more rows")
        self._threshold = threshold
        self._level = max(level, 1e-12 * threshold)
        self._weight = 2.0 / (span + 1.0) if span else 0.0
        self.level = self._level

    @property
    def threshold(self) -> float:
        """The threshold in force for the next row."""
        return self._threshold * (self.level / self._level)

    def update(self, scores: np.ndarray) -> np.ndarray:
        """Takes further scores `(num_rows,)`, returns the threshold in force at each of them.

        A score that is NaN changes nothing.
        """
        if not self._weight:
            return np.full(len(scores), self._threshold)
        thresholds = np.empty(len(scores))
        for index, score in enumerate(scores):
            thresholds[index] = threshold = self.threshold
            if score < threshold:
                self.level += self._weight * (float(score) - self.level)
        return thresholds
