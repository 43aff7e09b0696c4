"""A stream's state as arrays and JSON values, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tsad_keras.errors import InputError
from tsad_keras.inference.exported import ExportedDetector
from tsad_keras.inference.scores import SeriesScorer
from tsad_keras.streaming.events import packed_time, unpacked_time

if TYPE_CHECKING:
    from tsad_keras.streaming.stream import StreamingDetector

_STATE_VERSION = 3


def pack_stream(stream: StreamingDetector) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Everything that the next scores and events depend on, for `write_arrays`."""
    tracked, event = stream._tracker.get_state()
    parts = {
        "scorer": stream._scorer.get_state(),
        "judge": stream._judge.get_state(),
        "running": stream._running.get_state(),
        "tracker": tracked,
        "pending": {"rows": stream._pending_rows, "times": stream._pending_times},
        "last": {} if stream._last_seen is None else {"seen": stream._last_seen},
    }
    arrays = {f"{part}/{name}": a for part, named in parts.items() for name, a in named.items()}
    return arrays, {
        "stream_state_version": _STATE_VERSION,
        "weights_sha256": stream._source.weights_sha256_,
        "is_export": isinstance(stream._source, ExportedDetector),
        "settings": stream._settings,
        "counts": stream.counts,
        "latest": packed_time(stream._clock.latest),
        "has_times": stream._has_times,
        "level": stream._recalibration.level,
        "event": event,
    }


def check_state(header: dict[str, Any], source: SeriesScorer) -> None:
    """Refuses the state of another format or of another model's stream.

    Raises:
        InputError: If it is either.
    """
    if header["stream_state_version"] != _STATE_VERSION:
        raise InputError(f"a stream state of another format came, expected {_STATE_VERSION}")
    same = header["weights_sha256"] == source.weights_sha256_
    if not same or header["is_export"] != isinstance(source, ExportedDetector):
        raise InputError("the state of another model's stream came, expected one of this model")


def unpack_stream(
    stream: StreamingDetector, arrays: dict[str, np.ndarray], header: dict[str, Any]
) -> None:
    """Brings a fresh stream of the same source and settings into a packed state."""
    parts: dict[str, dict[str, np.ndarray]] = {"scorer": {}, "judge": {}, "tracker": {}}
    for name, array in arrays.items():
        part, _, key = name.partition("/")
        parts.setdefault(part, {})[key] = array
    stream._scorer.set_state(parts["scorer"])
    stream._judge.set_state(parts["judge"])
    stream._running.set_state(parts["running"])
    stream._tracker.set_state(parts["tracker"], header["event"])
    stream._pending_rows = parts["pending"]["rows"]
    stream._pending_times = parts["pending"]["times"]
    stream._last_seen = parts.get("last", {}).get("seen")
    counts = header["counts"]
    stream._num_rows, stream._num_scored = int(counts["rows"]), int(counts["scored"])
    stream._clock.latest = unpacked_time(header["latest"])
    stream._clock.num_late = int(counts["late"])
    stream._clock.num_duplicates = int(counts["duplicates"])
    stream._clock.num_gaps = int(counts["gaps"])
    stream._has_times = header["has_times"]
    stream._recalibration.level = float(header["level"])
