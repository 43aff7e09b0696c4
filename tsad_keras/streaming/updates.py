"""What one call of `update` gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsad_keras.streaming.events import AlarmEvent


class StreamUpdate(tuple):
    """What `update` gives: unpacks as `scores, alarms`, and has more as attributes.

    Attributes:
        scores: `(num_final,)` anomaly scores of the rows that are final by now, in order.
        alarms: `(num_final,)` int, 1 where the score reaches the threshold in force.
        contributions: `(num_final, num_features)`, rows sum to the scores.
        thresholds: `(num_final,)` the threshold in force at each row.
        rows: `(num_final,)` numbers of these rows in the stream, from 0, dropped rows counted.
        timestamps: `(num_final,)` their times, or None.
        events: The alarm events that have ended.
    """

    contributions: np.ndarray
    thresholds: np.ndarray
    rows: np.ndarray
    timestamps: np.ndarray | None
    events: list[AlarmEvent]

    def __new__(cls, scores: np.ndarray, alarms: np.ndarray, **others: Any) -> StreamUpdate:
        update = super().__new__(cls, (scores, alarms))
        update.__dict__.update(others)
        return update

    @property
    def scores(self) -> np.ndarray:
        return self[0]

    @property
    def alarms(self) -> np.ndarray:
        return self[1]


def join_updates(updates: Sequence[StreamUpdate]) -> StreamUpdate:
    """One update with the rows and events of several, at least one, in order."""
    if len(updates) == 1:
        return updates[0]
    names = ("scores", "alarms", "contributions", "thresholds", "rows")
    scores, alarms, *others = (
        np.concatenate([getattr(u, name) for u in updates]) for name in names
    )
    timed = [update.timestamps for update in updates if update.timestamps is not None]
    return StreamUpdate(
        scores,
        alarms,
        **dict(zip(names[2:], others, strict=True)),
        timestamps=np.concatenate(timed) if timed else None,
        events=[event for update in updates for event in update.events],
    )
