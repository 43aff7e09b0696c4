"""An ensemble in place of the one detector of a run, with a row for each of its members."""

from __future__ import annotations

import dataclasses
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.benchmark.methods import ScoredDetector, detector_result
from tsad_keras.config import Config
from tsad_keras.detector import EnsembleDetector

DEFAULT_COMBINE = "calibrated"


@dataclasses.dataclass
class ScoredEnsemble(ScoredDetector):
    """A trained ensemble and what it and its members said about the test part.

    Attributes:
        members: Each as if it were alone, with the threshold of its own.
    """

    members: list[ScoredDetector] = dataclasses.field(default_factory=list)


def score_ensemble(
    train: np.ndarray,
    test: np.ndarray,
    feature_names: tuple[str, ...],
    configs: list[Config],
    combine: str,
    folder: str | os.PathLike[str],
    *,
    verbose: bool = True,
) -> ScoredEnsemble:
    """Trains the members that are not finished and scores; there is no way in for labels.

    Args:
        train: `(num_train, num_features)`.
        test: `(num_test, num_features)`.
        feature_names: Names of the columns.
        configs: Of the members.
        combine: How their scores become one.
        folder: Gets `model/` with the members, which are read from there if they are finished.
        verbose: Whether to draw progress bars.
    """
    model = Path(folder) / "model"
    ensemble = EnsembleDetector(configs, combine)
    started = time.perf_counter()
    ensemble.fit(train, feature_names=feature_names, verbose=verbose, directory=model)
    fitted = time.perf_counter()
    ensemble.save(model)
    members = [_scored(member, test) for member in ensemble.members_]
    scored = _scored(ensemble, test)
    return ScoredEnsemble(
        **{**vars(scored), "fit_seconds": fitted - started},
        members=members,
    )


def ensemble_configs(config: Config, num_members: int) -> list[Config]:
    """The members of a run: no seed of one is that of a member of another run.

    Example:
        >>> [member.seed for member in ensemble_configs(Config(seed=2), 3)]
        [6, 7, 8]
    """
    first = config.seed * num_members
    return [dataclasses.replace(config, seed=first + number) for number in range(num_members)]


def ensemble_rows(
    scored: ScoredEnsemble, config: Config, labels: np.ndarray | None
) -> list[dict[str, Any]]:
    """Rows of the members, and the ensemble's row, which is the detector's, last."""
    rows = [
        {
            **detector_result(member, member.detector.config, labels),
            "method": f"Member {number}",
            "is_detector": False,
        }
        for number, member in enumerate(scored.members, start=1)
    ]
    label = ensemble_label(scored.detector)
    return [*rows, {**detector_result(scored, config, labels), "method": label}]


def ensemble_label(ensemble: EnsembleDetector) -> str:
    """Name of an ensemble's row."""
    return f"Ensemble of {len(ensemble.members_)}, {ensemble.combine}"


def _scored(detector: Any, test: np.ndarray) -> ScoredDetector:
    started = time.perf_counter()
    contributions = detector.explain(test)
    scores = contributions.sum(axis=1)
    threshold = detector.series_threshold(scores)
    return ScoredDetector(
        detector=detector,
        contributions=contributions,
        scores=scores,
        threshold=threshold,
        predictions=(scores >= threshold).astype(np.int8),
        fit_seconds=sum(row["seconds"] for row in detector.history_),
        score_seconds=time.perf_counter() - started,
        was_resumed=False,
    )
