"""The detector with scikit-learn's conventions: for `Pipeline`, `clone`, searches and the rest.

scikit-learn and this package (like PyOD) count in opposite directions. There, a higher
`decision_function` is more *normal*, outliers are below 0, and `predict` gives -1 for them and +1
for the rest. Here, a higher score is more *anomalous* and an alarm is 1. One object cannot do both,
so this adapter speaks the one language and `ContrastiveGANDetector` the other.
"""

from __future__ import annotations

import dataclasses
import inspect
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from tsad_keras.config import Config
from tsad_keras.inference.frames import Answer, like_rows, like_table
from tsad_keras.persistence import FILE_NAME

if TYPE_CHECKING:
    from tsad_keras.detector import ContrastiveGANDetector

_SETTINGS = {  # one series has one entity, and one threshold, that of `decision_function`
    field.name: field.default
    for field in dataclasses.fields(Config)
    if field.name not in ("entity_scaling", "max_alarm_rate")
}
_DEFAULTS: dict[str, Any] = {
    **_SETTINGS,
    "causal": False,
    "verbose": False,
}


class AnomalyEstimator(OutlierMixin, BaseEstimator):
    """Contrastive-GAN anomaly detector as a scikit-learn outlier detector of one series.

    Rows are time steps, in their order: a score depends on the rows around it, so rows must not be
    shuffled (`TimeSeriesSplit`, not `KFold`). For several series, streams and files use
    `ContrastiveGANDetector`. Outliers are what reaches the threshold of the training part
    (`offset_`); the detector's `max_alarm_rate`, which looks at a whole series, is no setting here.

    Args:
        causal: Whether to judge each time step by what came before it only.
        verbose: Whether to draw a progress bar.
        **settings: Every field of `Config` but `entity_scaling`, by its name and with its default.
            They are checked by `fit`, as scikit-learn wants it.

    Attributes:
        detector_: The fitted `ContrastiveGANDetector`, with `save`, `history_` and the rest.
        offset_: `decision_function` is `score_samples - offset_`.
        n_features_in_: Number of features.
        feature_names_in_: Their names; only after a fit on a DataFrame with texts as columns.

    Example:
        >>> from sklearn.pipeline import make_pipeline
        >>> from sklearn.preprocessing import RobustScaler
        >>> estimator = AnomalyEstimator(window_size=20, score_stride=10, epochs=1)
        >>> series = np.sin(np.arange(400.0))[:, None]
        >>> pipeline = make_pipeline(RobustScaler(), estimator).fit(series)
        >>> sorted(set(pipeline.predict(series).tolist()) | {-1, 1})
        [-1, 1]
    """

    def __init__(self, **settings: Any) -> None:
        unknown = sorted(set(settings) - set(_DEFAULTS))
        if unknown:
            raise TypeError(f"{type(self).__name__} got an unexpected argument {unknown[0]!r}")
        for name, default in _DEFAULTS.items():
            setattr(self, name, settings.get(name, default))

    # scikit-learn reads the parameters off this, and would not off `**settings`.
    __init__.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD),
            *(
                inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
                for name, default in _DEFAULTS.items()
            ),
        ]
    )

    @classmethod
    def from_preset(cls, preset: str, **settings: Any) -> AnomalyEstimator:
        """Returns one with a preset's settings, some of them replaced.

        Args:
            preset: `"contrastive-gan"` or `"hybrid"`.
            **settings: As for the constructor.

        Raises:
            InputError: If the preset is unknown.
        """
        values = Config.from_preset(preset).to_dict()
        return cls(**{**{name: values[name] for name in _SETTINGS}, **settings})

    def fit(self, X: Any, y: Any = None) -> AnomalyEstimator:
        """Learns from normal history.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame of at least two windows, NaN where
                a value is missing.
            y: Not used; labels choose nothing.

        Returns:
            self.

        Raises:
            InputError: If a setting is out of range or nothing can be learnt from the data.
            ValueError: If `X` is no such array.
        """
        config = Config.from_dict({name: getattr(self, name) for name in _SETTINGS})
        values = self._checked(X, 2 * config.window_size, reset=True)
        from tsad_keras.detector import ContrastiveGANDetector

        self.detector_: ContrastiveGANDetector = ContrastiveGANDetector.from_config(config).fit(
            values,
            feature_names=getattr(self, "feature_names_in_", None),
            verbose=bool(self.verbose),
        )
        # An alarm is a score at *or above* the threshold, an outlier a decision *below* 0.
        threshold = self.detector_.alarm_threshold(bool(self.causal))
        self.offset_ = float(np.nextafter(-threshold, np.inf))
        return self

    def score_samples(self, X: Any) -> Answer:
        """The opposite of the detector's anomaly scores: higher is more normal.

        Args:
            X: `(num_timesteps, num_features)` array or DataFrame of at least one window (`causal`:
                of at least one row), with the features of `fit`.

        Returns:
            `(num_timesteps,)`; a Series with the same index for a DataFrame.
        """
        return like_rows(X, self._score_samples(X), "score")

    def decision_function(self, X: Any) -> Answer:
        """`score_samples - offset_`: negative for outliers. Arguments and answer as there."""
        return like_rows(X, self._score_samples(X) - self.offset_, "decision")

    def predict(self, X: Any) -> Answer:
        """-1 for outliers, +1 for the rest. Arguments and answer as for `score_samples`."""
        is_normal = self._score_samples(X) - self.offset_ >= 0
        return like_rows(X, np.where(is_normal, 1, -1), "prediction")

    def explain(self, X: Any) -> Answer:
        """What each feature adds to the anomaly score.

        Args:
            X: As for `score_samples`.

        Returns:
            `(num_timesteps, num_features)`, non-negative; rows sum to `-score_samples(X)`. A
            DataFrame with the same index and columns for a DataFrame.
        """
        values = self._checked_for_scores(X)
        contributions = self.detector_.explain(values, causal=bool(self.causal))
        return like_table(X, contributions, getattr(X, "columns", ()))

    def _score_samples(self, X: Any) -> np.ndarray:
        values = self._checked_for_scores(X)
        return -self.detector_.decision_function(values, causal=bool(self.causal))

    def _checked_for_scores(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "detector_")
        least = 1 if self.causal else self.detector_.config.window_size
        return self._checked(X, least, reset=False)

    def _checked(self, X: Any, least: int, *, reset: bool) -> np.ndarray:
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=np.float64,
            ensure_all_finite="allow-nan",
            ensure_min_samples=least,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    # --- copies and files: joblib, deepcopy and worker processes need it -------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())
        if "detector_" in state:  # compiled functions cannot travel; the model's file can
            with tempfile.TemporaryDirectory() as folder:
                state["detector_"].save(folder)
                state["detector_"] = (Path(folder) / FILE_NAME).read_bytes()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        if "detector_" in state:
            from tsad_keras.detector import load_detector

            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / FILE_NAME).write_bytes(state["detector_"])
                state["detector_"] = load_detector(folder)
        super().__setstate__(state)
