"""`EnsembleDetector`: several detectors that answer as one."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.combination import Combination, EnsembleScore, check_mode
from tsad_keras.config import Config
from tsad_keras.detector.deciding import choose_decisions, joined_scores
from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.entities import as_items
from tsad_keras.detector.members import fitted_member, member_folder
from tsad_keras.errors import InputError
from tsad_keras.files import arrays_digest
from tsad_keras.inference.frames import row_index
from tsad_keras.inference.inputs import Series, as_series_list, check_names
from tsad_keras.inference.scores import DECISIONS, SeriesScorer, count_outputs
from tsad_keras.persistence import write_bundle
from tsad_keras.scaling import Scaler, last_seen
from tsad_keras.windows import split_train_validation

logger = logging.getLogger(__name__)

_SHARED = ("window_size", "score_stride", "validation_fraction")  # the same for all members


class EnsembleDetector(SeriesScorer):
    """Several `ContrastiveGANDetector`s, of other seeds or settings, with one score.

    Members are trained on the same series. Their scores are made comparable by what they were on
    the validation part, and averaged; see `combination` for the two ways. The threshold is chosen
    on the ensemble's own validation scores, without labels, by the first member's rule.

    All members see the same windows, so that an export takes one kind of request: `window_size`,
    `score_stride` and `validation_fraction` have to be the same, all other settings may differ.

    Args:
        configs: Settings of the members, at least two.
        combine: `"calibrated"` or `"rank"`.

    Attributes:
        members_: The detectors.
        combination_: How their scores are combined; None before `fit`.
        entities_: Always empty: an ensemble has one calibration for all series.
        config: Settings of the first member, whose rule for the threshold holds.
        threshold_: As for `ContrastiveGANDetector`, likewise all other decisions.

    Raises:
        InputError: If there are less than two members, two are the same, they do not go
            together, or one has `entity_scaling`.

    Example:
        >>> settings = {"window_size": 20, "score_stride": 10, "epochs": 1}
        >>> configs = [Config(seed=seed, **settings) for seed in (0, 1)]
        >>> series = np.sin(np.arange(400.0))[:, None]
        >>> ensemble = EnsembleDetector(configs).fit(series, verbose=False)
        >>> ensemble.decision_function(series).shape
        (400,)
    """

    def __init__(self, configs: Sequence[Config], combine: str = "calibrated") -> None:
        self.combine = check_mode(combine)
        self.configs = _checked_configs(configs)
        self.config = self.configs[0]
        self.members_: list[ContrastiveGANDetector] = []
        self.entities_: dict[str, ContrastiveGANDetector] = {}
        self.combination_: Combination | None = None
        self.fusion_levels_ = None
        self.threshold_: float | None = None

    @classmethod
    def of_seeds(
        cls, config: Config, num_members: int, combine: str = "calibrated"
    ) -> EnsembleDetector:
        """An untrained ensemble of one config with the seeds from its own on."""
        values = config.to_dict()
        seeds = range(config.seed, config.seed + num_members)
        return cls([Config.from_dict({**values, "seed": seed}) for seed in seeds], combine)

    # --- training --------------------------------------------------------------------------------

    def fit(
        self,
        X: Series | Mapping[str, np.ndarray | pd.DataFrame],
        *,
        feature_names: Sequence[str] | None = None,
        verbose: bool = True,
        directory: str | os.PathLike[str] | None = None,
    ) -> EnsembleDetector:
        """Trains the members one after the other, and combines them.

        Args:
            X: As for `ContrastiveGANDetector.fit`.
            feature_names: Likewise.
            verbose: Whether to draw progress bars.
            directory: Folder that members are saved to as they are finished, with their checkpoints
                and histories. A call with the same data goes on from there: what is finished is
                not trained again.

        Returns:
            self.

        Raises:
            InputError: As for a detector; a member that diverges ends it all.
        """
        self.threshold_ = None
        series, names = as_series_list(as_items(X))
        names = names if feature_names is None else feature_names
        self.feature_names_ = check_names(names, series[0].shape[1])
        self.members_ = []
        for number, config in enumerate(self.configs):
            logger.info("member %d of %d (seed %d)", number + 1, len(self.configs), config.seed)
            folder = None if directory is None else member_folder(Path(directory), number)
            self.members_.append(
                fitted_member(config, series, self.feature_names_, folder, verbose)
            )
        validation = self._prepared_validation(series)
        width = len(self.feature_names_)
        self.combination_ = Combination.of(
            self.combine,
            [
                joined_scores(
                    member,
                    [values[:, number * width : (number + 1) * width] for values in validation],
                    causal=False,
                )
                for number, member in enumerate(self.members_)
            ],
        )
        choose_decisions(self, validation)
        return self

    def _prepared_validation(self, series: list[np.ndarray]) -> list[np.ndarray]:
        train, validation = split_train_validation(
            series, self.config.window_size, self.config.validation_fraction
        )
        return [
            self.prepare_rows(part, last_seen(before))
            for part, before in zip(validation, train, strict=True)
            if len(part)
        ]

    # --- scoring ---------------------------------------------------------------------------------

    def prepare_rows(self, values: np.ndarray, state: np.ndarray | None = None) -> np.ndarray:
        rows = [member.prepare_rows(values, state) for member in self.members_]
        return np.concatenate(rows, axis=1)  # (num_rows, num_members * num_features)

    def window_outputs(self, windows: np.ndarray) -> np.ndarray:
        made = [member.window_outputs(part) for member, part in self._split(windows)]
        return np.concatenate(made, axis=2)

    def last_outputs(self, windows: np.ndarray) -> np.ndarray:
        made = [member.last_outputs(part) for member, part in self._split(windows)]
        return np.concatenate(made, axis=1)

    def _split(self, windows: np.ndarray) -> list[tuple[ContrastiveGANDetector, np.ndarray]]:
        """Each member with its columns of prepared windows."""
        parts = np.split(windows, len(self.members_), axis=2)
        return list(zip(self.members_, parts, strict=True))

    def point_judge(self) -> EnsembleScore:
        num_features = len(self.feature_names_)
        return EnsembleScore(
            self.combination_,
            [member.point_judge() for member in self.members_],
            [count_outputs(member.config, num_features) for member in self.members_],
        )

    def components(self, X: Series) -> dict[str, np.ndarray] | pd.DataFrame:
        """`reconstruction_error` and `realism` `(num_timesteps,)`: means over the members."""
        self._check(X)
        found = [member.components(X) for member in self.members_]
        names, index = ("reconstruction_error", "realism"), row_index(X)
        means = {name: np.mean([parts[name] for parts in found], axis=0) for name in names}
        return means if index is None else pd.DataFrame(means, index=index)

    def attention(self, X: Series, start: int = 0) -> np.ndarray:
        """Refused: the maps of unlike networks have no mean.

        Raises:
            InputError: Always; it says whom to ask.
        """
        raise InputError(
            "the attention of an ensemble was asked for, expected one member's, since each has "
            "networks of its own; ask ensemble.members_[0].attention"
        )

    def entity(self, name: str) -> ContrastiveGANDetector:
        """Refused, as by any model that was made without `entity_scaling`.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"entity {name!r} was named, but the model is an ensemble, which has one scaler and "
            "calibration for all series; leave the name out"
        )

    # --- what a single detector has, too ---------------------------------------------------------

    @property
    def scaler_(self) -> Scaler:
        """The first member's; they differ in `clip` and `flag_weight` at most."""
        return self.members_[0].scaler_

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The first member's."""
        return self.members_[0].history_

    @property
    def best_epoch_(self) -> int:
        """The first member's."""
        return self.members_[0].best_epoch_

    # --- persistence -----------------------------------------------------------------------------

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Writes the ensemble with all its members into one folder; no pickle.

        Args:
            directory: Created if missing. Holds `members/0` ..., each the folder of a detector, and
                `detector.npz`, which is written last and names the hashes of the members.

        Raises:
            InputError: If the ensemble is not fitted or the folder cannot be written to.
        """
        self.require_fitted()
        for number, member in enumerate(self.members_):
            member.save(member_folder(Path(directory), number))
        metadata = {
            "config": {
                "combine": self.combine,
                "members": [config.to_dict() for config in self.configs],
            },
            "members": [member.weights_sha256_ for member in self.members_],
            "feature_names": list(self.feature_names_),
            **{name: getattr(self, f"{name}_") for name in DECISIONS},
            "expected_false_alarm_rate": self.expected_false_alarm_rate_,
        }
        write_bundle(Path(directory), self.combination_.arrays(), metadata)

    def discard_checkpoint(self) -> None:
        """Deletes the members' checkpoints, once the ensemble is saved."""
        for member in self.members_:
            member.discard_checkpoint()

    @property
    def weights_sha256_(self) -> str:
        members = " ".join([self.combine, *(member.weights_sha256_ for member in self.members_)])
        return arrays_digest(self.combination_.arrays(), members)


def _checked_configs(configs: Sequence[Config]) -> list[Config]:
    configs = list(configs)
    if len(configs) < 2:
        raise InputError(f"{len(configs)} member came, expected at least 2; use `train` for one")
    if any(config.entity_scaling for config in configs):
        raise InputError(
            "entity_scaling is on for a member, expected an ensemble without it, which has one "
            "scaler and calibration for all series; leave it out, or train an ensemble an entity"
        )
    for name in _SHARED:
        values = [getattr(config, name) for config in configs]
        if len(set(values)) > 1:
            raise InputError(
                f"the members have {name} {', '.join(map(str, values))}, expected the same for "
                "all; make them agree"
            )
    if len(set(configs)) < len(configs):
        raise InputError(
            "two members have the same settings and seed, expected different ones; they would be "
            "the same model"
        )
    return configs
