"""One model for many entities: shared networks and memory, a calibration of each one's own."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.detector import fitting
from tsad_keras.errors import InputError
from tsad_keras.inference.frames import Answer, like_rows
from tsad_keras.inference.inputs import Series, as_series_list, check_series
from tsad_keras.inference.scores import SeriesScorer, What

if TYPE_CHECKING:
    from tsad_keras.detector.detector import ContrastiveGANDetector

PREFIX = "entities/"
_LISTED = 20  # names in a message; a fleet may have thousands


class EntityScorer(SeriesScorer):
    """What a detector with `entity_scaling` does beside the verbs of every scorer.

    Attributes:
        entities_: An ordinary detector for each entity, by its name; empty without
            `entity_scaling`.
    """

    entities_: dict[str, ContrastiveGANDetector]

    def entity(self, name: str) -> ContrastiveGANDetector:
        """The ordinary detector of one entity: it scores, explains, streams, saves and exports.

        Args:
            name: As in `fit` or `adapt`.

        Returns:
            A detector that shares networks and memory with this one.

        Raises:
            InputError: If there is no such entity, or the model was made without `entity_scaling`.
        """
        if not self.entities_:
            self.require_fitted()
            raise InputError(
                f"entity {name!r} was named, but the model has one scaler and calibration for all "
                "series; leave the name out, or train with entity_scaling"
            )
        if name not in self.entities_:
            raise InputError(
                f"the model has no entity {name!r}, expected one of {self._known()}; `adapt` adds "
                "one from normal rows of it"
            )
        return self.entities_[name]

    def adapt(self, X: Series, name: str | None = None) -> ContrastiveGANDetector:
        """Calibrates for an entity that was not trained on; all that was learnt stays as it is.

        Fits scaler, calibration, levels and thresholds on normal rows as `fit` does: the tail is
        kept for levels and thresholds. Networks, forecast and memory are those of the training.

        Args:
            X: Normal rows as for `fit`, at least two windows in one series.
            name: With `entity_scaling`, the name under which the entity is kept (and saved); it
                replaces an entity of that name. None keeps nothing.

        Returns:
            An ordinary detector of the new entity.

        Raises:
            InputError: If the detector is not fitted, the rows do not fit, or a name came for a
                model without `entity_scaling`.
        """
        if not self.entities_:
            self.require_fitted()
            if name is not None:
                raise InputError(
                    f"the name {name!r} came for a model that was made without entity_scaling, "
                    "which keeps no entities; leave it out and save what `adapt` returns"
                )
        series = check_series(X, self.feature_names_, 1)
        # Networks and memory know the features by the weights that they were trained with.
        weight = next(iter(self.entities_.values()), self).scaler_.weight_
        (part,) = fitting.split_parts(self.config, series, self.feature_names_, weight=weight)
        adapted = self._sharing_networks()
        adapted._adopt(part, fitting.error_scales(self.config, adapted.window_outputs, part))
        if name is not None:
            self.entities_[str(name)] = adapted
        return adapted

    def predict(self, X: Series, *, causal: bool = False) -> Answer:
        if not self.entities_:
            return super().predict(X, causal=causal)
        parts = [one.predict(values, causal=causal) for one, values in self._paired(X)]
        return like_rows(X, np.concatenate(parts), "is_anomaly")

    def require_fitted(self) -> None:
        if self.entities_:
            raise InputError(
                f"the model has {len(self.entities_)} entities with a calibration each and none "
                f"was named, expected one of {self._known()}; name it with --entity, in Python "
                "detector.entity(name)"
            )
        super().require_fitted()

    def _judged(self, X: Series, causal: bool, what: What) -> Iterator[np.ndarray]:
        if not self.entities_:
            yield from super()._judged(X, causal, what)
            return
        for one, values in self._paired(X):
            yield from one._judged(values, causal, what)

    def _paired(self, X: Any) -> list[tuple[ContrastiveGANDetector, Any]]:
        """Each series with its entity's detector: by the keys of a dict, or all in order."""
        if isinstance(X, Mapping):
            return [(self.entity(str(name)), values) for name, values in X.items()]
        items, _ = as_series_list(X)
        if not isinstance(X, (list, tuple)) or len(items) != len(self.entities_):
            raise InputError(
                f"{len(items)} series came for a model of {len(self.entities_)} entities, expected "
                "a dict of series by entity, or a list of one series for each in the order of "
                f"training ({self._known()}); or name one: --entity, detector.entity(name)"
            )
        return list(zip(self.entities_.values(), X, strict=True))

    def _known(self) -> str:
        names = list(self.entities_)
        more = f", ... ({len(names)} in all)" if len(names) > _LISTED else ""
        return ", ".join(names[:_LISTED]) + more

    def _sharing_networks(self) -> ContrastiveGANDetector:
        """An ordinary detector without calibration that shares networks, memory and history."""
        other: Any = copy.copy(self)
        other.config = dataclasses.replace(self.config, entity_scaling=False)
        other.entities_, other._checkpoint = {}, None
        return other


def as_items(X: Any) -> Any:
    """The series of a dict as a list; anything else as it is."""
    return list(X.values()) if isinstance(X, Mapping) else X


def series_entities(
    config: Config, X: Any, entity_names: Sequence[str] | None, num_series: int
) -> list[str] | None:
    """The entity of each series, or None if the config wants one calibration for all.

    Raises:
        InputError: If there are names of another number than series.
    """
    if entity_names is None and isinstance(X, Mapping):
        entity_names = [str(name) for name in X]
    if entity_names is not None and len(entity_names) != num_series:
        raise InputError(
            f"{len(entity_names)} entity_names came for {num_series} series, expected one for each"
        )
    if not config.entity_scaling:
        return None
    if entity_names is None:
        return [f"series_{index}" for index in range(num_series)]
    return [str(name) for name in entity_names]


def stacked_arrays(entities: Mapping[str, ContrastiveGANDetector]) -> dict[str, np.ndarray]:
    """The calibrations of all entities, each array with a first axis of `num_entities`."""
    each = [one.calibration() for one in entities.values()]
    return {PREFIX + name: np.stack([arrays[name] for arrays in each]) for name in each[0]}
