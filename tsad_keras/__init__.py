"""Contrastive-GAN Transformer anomaly detection for multivariate time series.

The public names are imported on first use, so that `import tsad_keras`, `--help` and the evaluation
do not load TensorFlow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from tsad_keras.errors import InputError
from tsad_keras.version import __version__

if TYPE_CHECKING:
    from tsad_keras.config import Config
    from tsad_keras.datasets import TimeSeriesDataset, load_dataset
    from tsad_keras.detector import ContrastiveGANDetector, load_detector
    from tsad_keras.estimator import AnomalyEstimator
    from tsad_keras.evaluation import evaluate_scores
    from tsad_keras.export.writer import export_saved_model
    from tsad_keras.inference.exported import load_export
    from tsad_keras.streaming import StreamingDetector

_LAZY = {
    "AnomalyEstimator": "tsad_keras.estimator",
    "Config": "tsad_keras.config",
    "ContrastiveGANDetector": "tsad_keras.detector",
    "load_detector": "tsad_keras.detector",
    "load_export": "tsad_keras.inference.exported",
    "export_saved_model": "tsad_keras.export.writer",
    "StreamingDetector": "tsad_keras.streaming",
    "TimeSeriesDataset": "tsad_keras.datasets",
    "load_dataset": "tsad_keras.datasets",
    "evaluate_scores": "tsad_keras.evaluation",
}

__all__ = [
    "AnomalyEstimator",
    "Config",
    "ContrastiveGANDetector",
    "InputError",
    "StreamingDetector",
    "TimeSeriesDataset",
    "__version__",
    "evaluate_scores",
    "export_saved_model",
    "load_dataset",
    "load_detector",
    "load_export",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
