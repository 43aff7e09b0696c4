"""Methods that the detector must beat, with the detector's verbs.

They get the same scaler, the same clip, the same causal smoothing and the same label-free threshold
rule on the same validation tail, so that a better number of the detector is the method's merit.
TensorFlow is loaded when a neural one is fitted, and not before.
"""

from tsad_keras.baselines.base import Baseline, ErrorBaseline
from tsad_keras.baselines.floors import AlwaysAlarmBaseline, RandomBaseline
from tsad_keras.baselines.neighbours import KMeansBaseline, KNNBaseline, KNNProjectionBaseline
from tsad_keras.baselines.neural import (
    CNNForecasterBaseline,
    DenseAutoencoderBaseline,
    LSTMAutoencoderBaseline,
    TransformerAutoencoderBaseline,
)
from tsad_keras.baselines.selection import baselines_for, shared_settings
from tsad_keras.baselines.simple import (
    IsolationForestBaseline,
    L2NormBaseline,
    PCAErrorBaseline,
)

__all__ = [
    "AlwaysAlarmBaseline",
    "Baseline",
    "CNNForecasterBaseline",
    "DenseAutoencoderBaseline",
    "ErrorBaseline",
    "IsolationForestBaseline",
    "KMeansBaseline",
    "KNNBaseline",
    "KNNProjectionBaseline",
    "L2NormBaseline",
    "LSTMAutoencoderBaseline",
    "PCAErrorBaseline",
    "RandomBaseline",
    "TransformerAutoencoderBaseline",
    "baselines_for",
    "shared_settings",
]
