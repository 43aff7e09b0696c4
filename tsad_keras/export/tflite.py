"""A TFLite file of `score_windows`, if it converts and agrees with the detector."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import tensorflow as tf

from tsad_keras.errors import InputError
from tsad_keras.export.graph import ScoringGraph
from tsad_keras.export.requests import TOLERANCE, difference

TFLITE_FILE = Path("assets.extra") / "score_windows.tflite"


def convert_to_tflite(graph: ScoringGraph, reference: dict[str, np.ndarray]) -> bytes:
    """Converts `score_windows` for one window a call, and compares.

    Only TFLite's own operations are used, so that any of its runtimes can run the file. It has no
    checks: an infinite value is cut like any large one.

    Args:
        graph: The scoring graph.
        reference: As `make_reference` gives it.

    Returns:
        The file's bytes. Input `windows` (1, window_size, num_features) raw float32; outputs
        `anomaly_score` and `is_anomaly` (1, window_size).

    Raises:
        InputError: If the graph does not convert, or its scores differ from the detector's.
    """
    spec = tf.TensorSpec(
        (1, graph.config.window_size, graph.num_features), tf.float32, name="windows"
    )
    function = tf.function(graph.score_windows_unchecked, autograph=False)
    try:
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [function.get_concrete_function(spec)], graph.module
        )
        content = converter.convert()
        off = tflite_difference(content, reference)
    except Exception as error:  # the converter raises nearly anything
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"this model does not convert to TFLite ({type(error).__name__}: {reason}); export "
            "without it"
        ) from error
    if not off <= TOLERANCE:
        raise InputError(
            f"the TFLite scores differ from the detector's by {off:.2g}, expected at most "
            f"{TOLERANCE:g}; export without it"
        )
    return content


def run_tflite(content: bytes, window: np.ndarray) -> dict[str, np.ndarray]:
    """Runs a TFLite file on one window `(window_size, num_features)`; named outputs, no batch."""
    resolvers = tf.lite.experimental.OpResolverType
    with warnings.catch_warnings():
        # TensorFlow announces that its interpreter moves to a package of its own.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(
            model_content=content,
            # The default delegate only adds a note on standard error and other rounding.
            experimental_op_resolver_type=resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
    runner = interpreter.get_signature_runner()
    return {name: value[0] for name, value in runner(windows=window[None]).items()}


def tflite_difference(content: bytes, reference: dict[str, np.ndarray]) -> float:
    """The largest difference of a file's scores from the detector's, over the stored windows."""
    expected = reference["window_scores"]
    windows = reference["series"][: expected.size].reshape(*expected.shape, -1)
    scores = [run_tflite(content, window)["anomaly_score"] for window in windows]
    return difference(np.stack(scores), expected)
