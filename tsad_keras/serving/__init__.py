"""TensorFlow Serving's REST interface for an exported model, and streams that keep their state.

    commands.servers -> run (sockets, signals) -> app (routes) -> gate (token, errors, counts)
                                                -> body, tensors (JSON to arrays), signatures
                                                -> streams -> batching (one model thread)
                                                -> versions (what lies in the folder) -> models

`client` needs none of these, only the standard library and NumPy.
"""
