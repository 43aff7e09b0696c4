"""The one assembly point: raw series in, scores, alarms and explanations out."""

from tsad_keras.detector.detector import ContrastiveGANDetector
from tsad_keras.detector.ensemble import EnsembleDetector
from tsad_keras.detector.loading import load_detector

__all__ = ["ContrastiveGANDetector", "EnsembleDetector", "load_detector"]
