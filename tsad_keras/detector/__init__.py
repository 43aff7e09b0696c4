"""The one assembly point: raw series in, scores, alarms and explanations out."""

from tsad_keras.detector.detector import ContrastiveGANDetector, load_detector

__all__ = ["ContrastiveGANDetector", "load_detector"]
