"""Shapley values of one alarm, through the package `shap`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from tsad_keras.errors import InputError
from tsad_keras.inference.inputs import Series
from tsad_keras.inference.scores import SeriesScorer
from tsad_keras.windows import window_around

MAX_FEATURES = 12  # of which all 2^n coalitions can be asked for in minutes
_BATCH = 16  # windows between two looks at the clock
_MARGIN = 0.7  # of the time that is left, by the rate so far


@dataclasses.dataclass(frozen=True)
class ShapleyValues:
    """What `shap_values` found.

    Attributes:
        feature_names: The features that were taken away and put back.
        values: `(num_chosen,)` in units of the score; they sum to `score - base_score`.
        score: The row's score with all features, as `shap_values` defines it.
        base_score: That without the chosen ones.
        is_exact: Whether all coalitions were asked for, or only some.
        num_evaluations: Windows that were scored.
    """

    feature_names: tuple[str, ...]
    values: np.ndarray
    score: float
    base_score: float
    is_exact: bool
    num_evaluations: int


def shap_values(
    detector: SeriesScorer,
    X: Series,
    at: int,
    *,
    features: int | Sequence[str] = 5,
    max_seconds: float = 60.0,
    progress: bool = True,
    seed: int = 0,
) -> ShapleyValues:
    """Shares out the score of one row among a handful of features by taking them away.

    A feature that is taken away has its train mean in the whole window around the row. What is
    shared out is the score of that row in that window alone: without bursts and without a
    neighbouring window, so it may differ from `decision_function`. All other features stay.

    Args:
        detector: A fitted detector, or an export that was loaded.
        X: One series, at least a window long.
        at: The row, from 0.
        features: Names, or how many of those with the largest contributions (`explain`); 1 to 12.
        max_seconds: For scoring windows; the import of `shap` does not count. All coalitions are
            asked for if that takes less, else as many as the rate so far allows, but never fewer
            than 4 for each feature.
        progress: Whether to draw a progress bar.
        seed: Of the coalitions that are drawn.

    Returns:
        The values; exact, or estimated from random coalitions. They sum up in both cases.

    Raises:
        InputError: If `shap` is not installed, or an argument does not fit the data.

    Reference:
        Lundberg and Lee, "A unified approach to interpreting model predictions", NeurIPS 2017.
    """
    shap = _import_shap()
    if not max_seconds > 0:
        raise InputError(f"max_seconds is {max_seconds}, expected more than 0; pass for example 60")
    prepared = detector.prepare_series(X)
    start = window_around(at, len(prepared), detector.config.window_size)
    chosen = _choose(detector, X, at, features)
    from tqdm import tqdm

    with tqdm(total=2 ** len(chosen), desc="SHAP", unit="window", disable=not progress) as bar:
        scores = _CoalitionScores(
            detector,
            prepared[start : start + detector.config.window_size],
            at - start,
            chosen,
            bar,
        )
        is_exact, values = _estimate(shap, scores, max_seconds, seed)
    base_score, score = scores(np.array([[0] * len(chosen), [1] * len(chosen)]))
    return ShapleyValues(
        feature_names=tuple(detector.feature_names_[index] for index in chosen),
        values=values,
        score=float(score),
        base_score=float(base_score),
        is_exact=is_exact,
        num_evaluations=len(scores.known),
    )


class _OutOfTimeError(Exception):
    """No further window may be scored."""


class _CoalitionScores:
    """Scores of the row with some of the chosen features taken away; each is computed once."""

    def __init__(
        self, detector: SeriesScorer, window: np.ndarray, position: int, chosen: list[int], bar: Any
    ) -> None:
        self._detector, self._window, self._position = detector, window, position
        self.chosen, self._bar = chosen, bar
        self.known: dict[bytes, float] = {}
        self.deadline: float | None = None
        # A missing value before the first seen one is the train mean, whatever the unit of rows.
        self._absent = detector.prepare_rows(np.full((1, self._window.shape[1]), np.nan))[0]

    def __call__(self, coalitions: np.ndarray) -> np.ndarray:
        """`(num_coalitions, num_chosen)`, 1 = the feature is there, to `(num_coalitions,)`."""
        flags = np.asarray(coalitions) > 0.5
        keys = [row.tobytes() for row in flags]
        new = {key: row for key, row in zip(keys, flags, strict=True) if key not in self.known}
        for first in range(0, len(new), _BATCH):
            if self.deadline is not None and time.perf_counter() > self.deadline:
                raise _OutOfTimeError
            self._score(list(new.items())[first : first + _BATCH])
        return np.array([self.known[key] for key in keys])

    def expect(self, size: int) -> None:
        """Tells the bar how many windows will be scored at most."""
        if size < 2 ** len(self.chosen):
            self._bar.total = len(self.known) + size
            self._bar.refresh()

    def _score(self, part: list[tuple[bytes, np.ndarray]]) -> None:
        windows = np.repeat(self._window[None], len(part), axis=0)
        for window, (_, flags) in zip(windows, part, strict=True):
            absent = [i for i, kept in zip(self.chosen, flags, strict=True) if not kept]
            window[:, absent] = self._absent[absent]
        outputs = self._detector.window_outputs(windows)[:, self._position].astype(np.float64)
        found = self._detector.point_judge().of_means(outputs).sum(axis=1)
        self.known.update(zip((key for key, _ in part), found.tolist(), strict=True))
        self._bar.update(len(part))


def _estimate(
    shap: Any, scores: _CoalitionScores, max_seconds: float, seed: int
) -> tuple[bool, np.ndarray]:
    """Whether the values are exact, and the values `(num_chosen,)`."""
    count = len(scores.chosen)
    coalitions = (np.arange(2**count)[:, None] >> np.arange(count)) & 1
    started = time.perf_counter()
    for done in range(_BATCH, len(coalitions) + _BATCH, _BATCH):
        scores(coalitions[done - _BATCH : done])
        spent = time.perf_counter() - started
        if done < len(coalitions) and spent * len(coalitions) / done > max_seconds:
            break  # all of them would take too long
    else:
        return True, _kernel_values(shap, scores, len(coalitions), seed)
    least = 4 * count  # fewer say little
    affordable = int(_MARGIN * (max_seconds - spent) * done / spent)
    try:
        scores.deadline = started + max_seconds
        return False, _kernel_values(shap, scores, min(max(affordable, least), 2**count), seed)
    except _OutOfTimeError:  # slower than was measured
        scores.deadline = None
        return False, _kernel_values(shap, scores, least, seed)


def _kernel_values(shap: Any, scores: _CoalitionScores, size: int, seed: int) -> np.ndarray:
    """Values from so many coalitions; from all of them they are exact."""
    count = len(scores.chosen)
    scores.expect(size)
    state = np.random.get_state()  # noqa: NPY002  shap draws from NumPy's global generator
    np.random.seed(seed)  # noqa: NPY002
    try:
        explainer = shap.KernelExplainer(scores, np.zeros((1, count)))
        settings = {"nsamples": size, "l1_reg": False, "silent": True}
        return np.asarray(explainer.shap_values(np.ones((1, count)), **settings)).reshape(count)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _choose(detector: SeriesScorer, X: Series, at: int, features: int | Sequence[str]) -> list[int]:
    """Columns of the chosen features."""
    names = list(detector.feature_names_)
    if isinstance(features, str):
        features = [features]
    if not isinstance(features, (int, np.integer)):
        unknown = [name for name in features if name not in names]
        if unknown:
            raise InputError(
                f"no feature is called {unknown[0]!r}, expected some of {', '.join(names[:20])}; "
                "check features"
            )
        chosen = [names.index(name) for name in dict.fromkeys(features)]
    else:
        order = np.argsort(-np.asarray(detector.explain(X))[at], kind="stable")
        chosen = order[: max(features, 0)].tolist()
    if not 1 <= len(chosen) <= MAX_FEATURES:
        raise InputError(
            f"{len(chosen)} features came, expected 1 to {MAX_FEATURES}; the number of coalitions "
            "doubles with each"
        )
    return chosen


def _import_shap() -> Any:
    try:
        import shap
    except ImportError as error:
        raise InputError(
            "the package shap is not installed, expected it for SHAP values; run: "
            "pip install 'tsad-keras[shap]'"
        ) from error
    return shap
