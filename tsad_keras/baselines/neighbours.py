"""Methods that measure how far the training part is: nearest neighbours and clusters."""

from __future__ import annotations

import abc

import numpy as np

from tsad_keras.baselines.base import Baseline
from tsad_keras.scoring import score_points
from tsad_keras.windows import gather_windows, starts_within_series

_BATCH_SIZE = 1024  # windows at a time


class KNNBaseline(Baseline):
    """Mean distance of a row to its nearest training rows.

    Args:
        num_neighbours: How many of them.
        max_train_rows: At most so many training rows are kept, evenly spaced: neighbours in time
            are nearly the same, and the cost grows with their number.
        **settings: As for `Baseline`.

    Reference:
        Ramaswamy et al., "Efficient algorithms for mining outliers from large data sets", SIGMOD
        2000; Angiulli and Pizzuti, PKDD 2002 (the mean instead of the k-th distance).
    """

    name = "kNN"

    def __init__(self, num_neighbours: int = 5, max_train_rows: int = 10_000, **settings) -> None:
        super().__init__(**settings)
        self.num_neighbours = num_neighbours
        self.max_train_rows = max_train_rows

    def _learn(self, train: list[np.ndarray], validation: list[np.ndarray]) -> None:
        rows = np.concatenate(train)
        chosen = np.linspace(0, len(rows) - 1, min(self.max_train_rows, len(rows))).astype(int)
        self.neighbours_ = _Neighbours(rows[chosen], self.num_neighbours)

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        return self.neighbours_.mean_distances(scaled)[:, None]


class PatternBaseline(Baseline):
    """A baseline that judges short windows; a time step gets the mean of those that cover it.

    All windows are scored, and every `train_stride`-th one is learnt from.

    Args:
        pattern_size: Time steps of these windows. `window_size` has no part in them; as ever, it is
            the least length of the validation tail.
        train_stride: Time steps between windows to learn from.
        **settings: As for `Baseline`.
    """

    looks_ahead = True

    def __init__(self, *, pattern_size: int = 20, train_stride: int = 5, **settings) -> None:
        super().__init__(**settings)
        self.pattern_size = pattern_size
        self.train_stride = train_stride

    def _learn(self, train: list[np.ndarray], validation: list[np.ndarray]) -> None:
        lengths = [len(values) for values in train]
        starts = starts_within_series(lengths, self.pattern_size, self.train_stride)
        self._learn_patterns(np.concatenate(train), starts)

    def _outputs(self, scaled: np.ndarray) -> np.ndarray:
        def spread(windows: np.ndarray) -> np.ndarray:
            scores = self._pattern_scores(windows.reshape(len(windows), -1))
            return np.repeat(scores[:, None, None], self.pattern_size, axis=1)

        return score_points(
            scaled, spread, window_size=self.pattern_size, stride=1, batch_size=_BATCH_SIZE
        )

    @abc.abstractmethod
    def _learn_patterns(self, rows: np.ndarray, starts: np.ndarray) -> None:
        """Learns from the windows `rows[start : start + pattern_size]`."""

    @abc.abstractmethod
    def _pattern_scores(self, patterns: np.ndarray) -> np.ndarray:
        """Scores `(num_windows,)` of flat windows `(num_windows, pattern_size * num_features)`."""

    def _gather(self, rows: np.ndarray, starts: np.ndarray) -> np.ndarray:
        """Flat windows `(num_windows, pattern_size * num_features)`."""
        return gather_windows(rows, starts, self.pattern_size).reshape(len(starts), -1)


class KNNProjectionBaseline(PatternBaseline):
    """Mean distance of a short window to its nearest training windows, on random projections.

    Args:
        seed: Of the projections.
        num_neighbours: How many of them.
        num_projections: Directions, drawn once from a normal distribution.
        **settings: As for `PatternBaseline`.
    """

    name = "kNN on projected windows"
    is_random = True

    def __init__(
        self, seed: int = 0, num_neighbours: int = 5, num_projections: int = 32, **settings
    ) -> None:
        super().__init__(**settings)
        self.seed = seed
        self.num_neighbours = num_neighbours
        self.num_projections = num_projections

    def _learn_patterns(self, rows: np.ndarray, starts: np.ndarray) -> None:
        size = (self.pattern_size * rows.shape[1], self.num_projections)
        random = np.random.default_rng(self.seed)
        self.projection_ = (random.normal(size=size) / np.sqrt(size[1])).astype(np.float32)
        parts = [
            self._gather(rows, starts[first : first + _BATCH_SIZE]) @ self.projection_
            for first in range(0, len(starts), _BATCH_SIZE)
        ]
        self.neighbours_ = _Neighbours(np.concatenate(parts), self.num_neighbours)

    def _pattern_scores(self, patterns: np.ndarray) -> np.ndarray:
        return self.neighbours_.mean_distances(patterns @ self.projection_)


class KMeansBaseline(PatternBaseline):
    """Distance of a short window to the nearest of the centres that k-means found on train.

    Args:
        seed: Of the first centres.
        num_clusters: Centres.
        **settings: As for `PatternBaseline`.

    Reference:
        Yairi et al., "Fault detection by mining association rules from house-keeping data",
        i-SAIRAS 2001 (clusters of windows).
    """

    name = "k-means"
    is_random = True

    def __init__(self, seed: int = 0, num_clusters: int = 20, **settings) -> None:
        super().__init__(**settings)
        self.seed = seed
        self.num_clusters = num_clusters

    def _learn_patterns(self, rows: np.ndarray, starts: np.ndarray) -> None:
        from sklearn.cluster import KMeans

        patterns = self._gather(rows, starts)
        num_clusters = min(self.num_clusters, len(np.unique(patterns, axis=0)))
        self.clusters_ = KMeans(num_clusters, n_init=1, random_state=self.seed).fit(patterns)

    def _pattern_scores(self, patterns: np.ndarray) -> np.ndarray:
        return self.clusters_.transform(patterns).min(axis=1)


class _Neighbours:
    """Mean Euclidean distances to the nearest of some points."""

    def __init__(self, points: np.ndarray, num_neighbours: int) -> None:
        from sklearn.neighbors import NearestNeighbors

        # Brute force: in so many dimensions trees visit nearly all points anyway.
        count = min(num_neighbours, len(points))
        self._search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(points)

    def mean_distances(self, points: np.ndarray) -> np.ndarray:
        return self._search.kneighbors(points)[0].mean(axis=1).astype(np.float64)
