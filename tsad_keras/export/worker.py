"""A process of its own that loads an export: `python -m tsad_keras.export.worker MODE DIR IN OUT`.

Modes:
    session: as TensorFlow Serving does, with the loader of sessions and `Session.run`.
    without-keras: with this package's `load_export`, where importing Keras fails.

IN and OUT are files of `write_arrays`. In session mode IN holds requests, the values under their
number and the header `[{"signature", "input"}, ...]`; OUT holds the outputs as `NUMBER/NAME` and
the header `[{"code", "message"}, ...]`, code 0 for an answer. Without Keras IN holds `series`.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from tsad_keras.files import read_arrays, write_arrays

Answers = tuple[dict[str, np.ndarray], Any]


def answer_in_session(directory: str, arrays: dict[str, np.ndarray], header: Any) -> Answers:
    """Loads as a server does and runs all requests."""
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.logging.set_verbosity(v1.logging.ERROR)
    outputs, outcomes = {}, []
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        # Inputs without a shape: the session would itself refuse what does not fit, and the graph's
        # own checks, which are all that a server has, would never be reached.
        inputs = {name: v1.placeholder(tf.float32) for name in {item["tensor"] for item in header}}
        meta_graph = v1.saved_model.loader.load(
            session, ["serve"], directory, import_scope="model", input_map=inputs
        )
        for number, item in enumerate(header):
            signature = meta_graph.signature_def[item["signature"]]
            names = {name: f"model/{info.name}" for name, info in signature.outputs.items()}
            feed = {inputs[item["tensor"]]: arrays[str(number)]}
            try:
                for name, value in session.run(names, feed).items():
                    outputs[f"{number}/{name}"] = value
                outcomes.append({"code": 0, "message": ""})
            except tf.errors.OpError as error:
                outcomes.append({"code": error.error_code, "message": error.message})
    return outputs, outcomes


def answer_without_keras(directory: str, arrays: dict[str, np.ndarray], header: Any) -> Answers:
    """Runs the verbs of `load_export`."""
    for name in ("keras", "tf_keras"):
        sys.modules[name] = None  # as if it were not installed: importing it raises
    from tsad_keras.inference.exported import load_export

    exported = load_export(directory)
    series = arrays["series"]
    outputs = {
        "anomaly_score": exported.decision_function(series),
        "contribution": exported.explain(series),
        "causal_score": exported.decision_function(series, causal=True),
    }
    return outputs, [name for name in sorted(sys.modules) if name.startswith("keras.")]


MODES = {"session": answer_in_session, "without-keras": answer_without_keras}


if __name__ == "__main__":
    _, mode, directory, source, target = sys.argv
    write_arrays(target, *MODES[mode](directory, *read_arrays(source)))
