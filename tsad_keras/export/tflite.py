"""A TFLite file of `score_windows`, if it converts and agrees with the detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf

from tsad_keras.errors import InputError
from tsad_keras.export.graph import ScoringGraph

TFLITE_FILE = Path("assets.extra") / "score_windows.tflite"
TOLERANCE = 1e-4  # TFLite's kernels round otherwise than TensorFlow's


def convert_to_tflite(graph: ScoringGraph, reference: dict[str, np.ndarray]) -> bytes:
    """Converts `score_windows` for one window a call, and compares.

    Args:
        graph: The scoring graph.
        reference: As `make_reference` gives it.

    Returns:
        The file's bytes. Input `windows` (1, window_size, num_features) raw float32; outputs
        `anomaly_score` and `is_anomaly` (1, window_size).

    Raises:
        InputError: If the graph does not convert, or its scores differ from the detector's.
    """
    size = graph.config.window_size
    spec = tf.TensorSpec((1, size, graph.num_features), tf.float32, name="windows")
    module = tf.Module()
    module.weights = graph.variables
    function = tf.function(graph.score_windows_unchecked)
    try:
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function(spec)], module
        )
        content = converter.convert()
        scores = run_tflite(content, reference["series"][:size])["anomaly_score"]
    except Exception as error:  # the converter raises nearly anything
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"this model does not convert to TFLite ({type(error).__name__}: {reason}); export "
            "without it"
        ) from error
    expected = reference["window_scores"][0]
    difference = np.max(np.abs(scores - expected) / np.maximum(1.0, np.abs(expected)))
    if not difference <= TOLERANCE:
        raise InputError(
            f"the TFLite scores differ from the detector's by {difference:.2g}, expected at most "
            f"{TOLERANCE:g}; export without it"
        )
    return content


def run_tflite(content: bytes, window: np.ndarray) -> dict[str, np.ndarray]:
    """Runs a TFLite file on one window `(window_size, num_features)`; named outputs, no batch."""
    interpreter = tf.lite.Interpreter(model_content=content)
    runner = interpreter.get_signature_runner()
    return {name: value[0] for name, value in runner(windows=window[None]).items()}
