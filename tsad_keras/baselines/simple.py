"""Methods that judge each row by itself."""

from __future__ import annotations

import numpy as np

from tsad_keras.baselines.base import Baseline, ErrorBaseline
from tsad_keras.calibration import piece_errors


class L2NormBaseline(Baseline):
    """Mean over the features of the squared z-score: how far is a row from the train mean."""

    name = "L2 norm"

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return np.square(scaled, dtype=np.float64)


class PCAErrorBaseline(ErrorBaseline):
    """Mean squared error of the reconstruction from the leading principal components.

    Args:
        explained_variance: Share of the train variance that the kept components explain.
        **settings: As for `ErrorBaseline`.
    """

    name = "PCA error"

    def __init__(self, explained_variance: float = 0.9, **settings) -> None:
        super().__init__(**settings)
        self.explained_variance = explained_variance

    def _learn(self, train: list[np.ndarray], validation: list[np.ndarray]) -> None:
        from sklearn.decomposition import PCA

        scaled = np.concatenate(train)
        self.center_ = scaled.mean(axis=0)
        self.components_ = np.zeros((0, scaled.shape[1]))
        if np.ptp(scaled, axis=0).max() > 0:  # shares of no variance are not defined
            self.components_ = PCA(self.explained_variance).fit(scaled).components_
        self._set_error_scale(piece_errors(self._outputs(scaled)))

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        centered = scaled - self.center_
        rest = centered - centered @ self.components_.T @ self.components_
        return np.square(rest, dtype=np.float64)


class IsolationForestBaseline(Baseline):
    """How few random cuts set a row apart from samples of the training rows.

    Args:
        seed: Of the samples and cuts.
        num_trees: Trees in the forest.
        **settings: As for `Baseline`.

    Reference:
        Liu et al., "Isolation forest", ICDM 2008 (256 rows a tree).
    """

    name = "Isolation Forest"
    is_random = True

    def __init__(self, seed: int = 0, num_trees: int = 100, **settings) -> None:
        super().__init__(**settings)
        self.seed = seed
        self.num_trees = num_trees

    def _learn(self, train: list[np.ndarray], validation: list[np.ndarray]) -> None:
        from sklearn.ensemble import IsolationForest

        forest = IsolationForest(n_estimators=self.num_trees, random_state=self.seed)
        self.forest_ = forest.fit(np.concatenate(train))

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return -self.forest_.score_samples(scaled)[:, None]
