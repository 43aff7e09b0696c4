"""Limits and habits of the server, each with its reason."""

from __future__ import annotations

import dataclasses
import math

from tsad_keras.errors import InputError


@dataclasses.dataclass(frozen=True)
class ServingSettings:
    """Settings of a server; the flags of `serve` have the same names.

    Raises:
        InputError: If a value is out of its range.
    """

    # Where
    host: str = "127.0.0.1"  # loopback: whoever opens it to a network says so
    port: int = 8501  # TensorFlow Serving's; 0 = any free one
    # Versions
    poll_seconds: float = 2.0  # TensorFlow Serving's default
    num_versions: int = 1  # the latest so many
    # Limits of one request
    max_body_mb: float = 32.0  # about 80,000 rows of 38 features
    max_rows: int = 100_000  # time steps in all
    body_seconds: float = 60.0  # a body that takes longer to arrive is given up
    # Limits of all requests together
    max_batch_size: int = 64  # windows in one pass; more are not faster, and take memory
    queue_size: int = 512  # requests that wait; the next one is told so (503)
    max_waiting_bodies: int = 16  # memory for bodies being read, in units of max_body_mb
    model_threads: int = 2  # passes at a time: one computes while the other has its turn in Python
    # Streams
    max_streams: int = 1000
    stream_expiry: float = 3600.0  # idle seconds
    # The end
    stop_seconds: float = 30.0  # for what is in flight

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "host":
                continue
            least = 0 if field.name == "port" else 1 if field.type == "int" else 0.001
            if not (math.isfinite(value) and value >= least):
                flag = "--" + field.name.replace("_", "-")
                raise InputError(f"{flag} is {value}, expected {least} or more; pass a larger one")
        if self.port > 65_535:
            raise InputError(f"--port is {self.port}, expected at most 65535; pass a smaller one")

    @property
    def max_body_bytes(self) -> int:
        return int(self.max_body_mb * 1_000_000)
