"""`StreamingDetector`: rows in as they come, scores and alarms out, with bounded memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays
from tsad_keras.inference.exported import ExportedDetector, load_export
from tsad_keras.inference.inputs import check_series
from tsad_keras.inference.scores import SeriesScorer
from tsad_keras.persistence import FILE_NAME
from tsad_keras.scaling import last_seen
from tsad_keras.streaming.clock import StreamClock, as_times
from tsad_keras.streaming.events import AlarmEvent, AlarmTracker
from tsad_keras.streaming.recalibration import Recalibration
from tsad_keras.streaming.state import check_state, pack_stream, unpack_stream
from tsad_keras.streaming.updates import StreamUpdate, join_updates

_ROWS_A_STEP = 4096  # bounds the buffers when very many rows come at once


class StreamingDetector:
    """Scores one endless series, in pieces of any size.

    In the causal mode (the default) each row is final at once: its score is that of
    `decision_function(..., causal=True)` on all rows so far, to 1e-5, however they are cut.
    Without, rows become final `delay` rows later, with the scores of `decision_function` on the
    whole.

    Memory is bounded: about a window of rows, the last 10,000 scores and the open event.

    Args:
        source: A fitted detector, a loaded export, or a folder of either.
        causal: Whether to look at nothing that came later.
        max_gap: Rows further apart in time (seconds, or units of numeric times) begin a new
            series; None = never. Rows with late or doubled times are dropped, see `StreamClock`.
        hysteresis: Share of the threshold by which scores must fall for an event to end.
        minimum_gap: Events with at most so many rows between them are one.
        recalibration_span: Normal rows over which the threshold follows drift, see
            `Recalibration`; 0 = off: it is raised only where too much would be alarms, see
            `tsad_keras.thresholds.RunningThreshold`.

    Attributes:
        delay: Rows that must follow a row before its score is final; 0 in the causal mode.
        counts: How many `rows` came and were `scored`, how many were dropped as `late` or
            `duplicates`, and how many `gaps` began the series anew.
        threshold_: The threshold in force for the next row.

    Raises:
        InputError: If the source is not fitted, or a setting is out of range.

    Example:
        >>> from tsad_keras import ContrastiveGANDetector
        >>> series = np.sin(np.arange(400.0))[:, None]
        >>> detector = ContrastiveGANDetector(window_size=20, score_stride=10, epochs=1)
        >>> stream = StreamingDetector(detector.fit(series, verbose=False))
        >>> scores, alarms = stream.update(series[:3])
        >>> len(scores), stream.delay
        (3, 0)
    """

    def __init__(
        self,
        source: SeriesScorer | str | os.PathLike[str],
        *,
        causal: bool = True,
        max_gap: float | None = None,
        hysteresis: float = 0.2,
        minimum_gap: int = 10,
        recalibration_span: int = 0,
    ) -> None:
        self._source = _load(source)
        self._source.require_fitted()
        self._settings = {
            "causal": bool(causal),
            "max_gap": max_gap,
            "hysteresis": hysteresis,
            "minimum_gap": minimum_gap,
            "recalibration_span": recalibration_span,
        }
        self.delay = 0 if causal else self._source.config.window_size
        self._clock = StreamClock(max_gap)
        self._tracker = AlarmTracker(
            self._source.feature_names_, hysteresis=hysteresis, minimum_gap=minimum_gap
        )
        self._recalibration = Recalibration(
            threshold=self._source.alarm_threshold(causal),
            level=self._source.score_level(causal),
            span=recalibration_span,
        )
        self._running = self._source.running_threshold(causal)
        self._has_times: bool | None = None
        self._num_rows = self._num_scored = 0
        self._begin_series()

    # --- use -------------------------------------------------------------------------------------

    @property
    def counts(self) -> dict[str, int]:
        return {
            "rows": self._num_rows,
            "scored": self._num_scored,
            "late": self._clock.num_late,
            "duplicates": self._clock.num_duplicates,
            "gaps": self._clock.num_gaps,
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The settings it was made with, by name."""
        return dict(self._settings)

    @property
    def feature_names_(self) -> tuple[str, ...]:
        """The features of a row, in order."""
        return self._source.feature_names_

    @property
    def threshold_(self) -> float:
        if self._settings["recalibration_span"]:
            return self._recalibration.threshold
        return self._running.threshold

    @property
    def open_event(self) -> AlarmEvent | None:
        """The alarm event that goes on, if there is one."""
        return self._tracker.open_event

    def update(
        self,
        rows: np.ndarray | pd.DataFrame | Sequence[Any],
        timestamps: Sequence[Any] | np.ndarray | None = None,
    ) -> StreamUpdate:
        """Takes further rows.

        Args:
            rows: `(num_rows, num_features)` raw values in time order, NaN where missing; a single
                row may come as `(num_features,)`.
            timestamps: `(num_rows,)` numbers, datetimes or ISO 8601 texts; always or never.

        Returns:
            Scores and alarms of the rows that are final by now, see `StreamUpdate`.

        Raises:
            InputError: If the rows do not fit the training data or a time is missing. The stream is
                then as it was before.
        """
        values = self._checked_rows(rows)
        times = None if timestamps is None else as_times(timestamps, len(values))
        if len(values) == 0:
            return self._judged(np.zeros((0, values.shape[1])))
        if self._has_times not in (None, times is not None):
            raise InputError(
                "timestamps came for some updates only, expected always or never; pass them with "
                "every update"
            )
        numbers = np.arange(self._num_rows, self._num_rows + len(values))
        begins = np.zeros(len(values), bool)
        if times is not None:
            taken, begins = self._clock.take(times)
            values, numbers, times = values[taken], numbers[taken], times[taken]
        self._has_times = times is not None
        self._num_rows += len(taken) if times is not None else len(numbers)
        updates = []
        edges = [0, *np.flatnonzero(begins).tolist(), len(values)]
        for index, (first, end) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
            if index:
                updates.append(self.finish())
            self._pending_rows = np.concatenate([self._pending_rows, numbers[first:end]])
            if times is not None:
                self._pending_times = np.concatenate(
                    [self._pending_times.astype(times.dtype), times[first:end]]
                )
            updates += [self._judged(part) for part in self._contributions(values[first:end])]
        return join_updates(updates)

    def finish(self) -> StreamUpdate:
        """Ends the series here; the next row begins a new one.

        Returns:
            Scores of the rows that waited for their `delay` (none in the causal mode; NaN and no
            alarm if the whole series was shorter than a window), and the open event, ended.
        """
        try:
            contributions = self._combined(self._scorer.finish())
        except InputError:  # shorter than a window
            shape = (len(self._pending_rows), len(self._source.feature_names_))
            contributions = np.full(shape, np.nan)
        update = self._judged(contributions)
        update.events.extend(self._tracker.close())
        self._begin_series()
        return update

    def moved_to(self, source: SeriesScorer | str | os.PathLike[str]) -> StreamingDetector:
        """Returns a stream that goes on where this one is, with another export.

        The rows of the last window go through the new model first, so that its scores are not those
        of a cold start; row numbers, times and the open event are kept. The threshold is the new
        model's. If the features are others, the series begins anew.

        Args:
            source: A loaded export, or its folder; this stream must be one of an export, too, and
                causal.

        Raises:
            InputError: If it is not.
        """
        moved = StreamingDetector(source, **self._settings)
        both = (self._source, moved._source)
        if not (self._settings["causal"] and all(isinstance(s, ExportedDetector) for s in both)):
            raise InputError("only causal streams move, and from an export to an export")
        moved._clock, moved._has_times = self._clock, self._has_times
        moved._num_rows, moved._num_scored = self._num_rows, self._num_scored
        if self._source.feature_names_ == moved._source.feature_names_:
            moved._tracker.set_state(*self._tracker.get_state())
            context = self._scorer.get_state().get("context")  # raw values, as exports take them
            if context is not None:
                list(moved._contributions(context.astype(np.float64)))
                moved._last_seen = self._last_seen
        return moved

    # --- saving ----------------------------------------------------------------------------------

    def save_state(self, path: str | os.PathLike[str]) -> None:
        """Writes everything that the next scores depend on into one file, atomically; no pickle.

        Args:
            path: The file, `.npz` by custom.

        Raises:
            InputError: If it cannot be written.
        """
        write_arrays(path, *pack_stream(self))

    @classmethod
    def load_state(
        cls, source: SeriesScorer | str | os.PathLike[str], path: str | os.PathLike[str]
    ) -> StreamingDetector:
        """Returns a stream that goes on where another was at `save_state`, with its settings.

        Args:
            source: What the saved stream was made of.
            path: The file.

        Raises:
            InputError: If the file is missing or damaged, or of another model.
        """
        source = _load(source)
        if not Path(path).is_file():
            raise InputError(f"{path} does not exist, expected a stream's saved state")
        try:
            arrays, header = read_arrays(path)
            check_state(header, source)
            stream = cls(source, **header["settings"])
            unpack_stream(stream, arrays, header)
        except InputError as error:
            raise InputError(f"{path}: {error}; delete it to begin anew") from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise InputError(
                f"the stream state {path} is damaged ({error}); delete it to begin anew"
            ) from error
        return stream

    # --- inside ----------------------------------------------------------------------------------

    def _checked_rows(self, rows: Any) -> np.ndarray:
        if not isinstance(rows, pd.DataFrame):
            rows = np.asarray(rows)
            if rows.ndim == 1 and rows.size == len(self._source.feature_names_):
                rows = rows[None]
            elif rows.size == 0:
                rows = np.zeros((0, len(self._source.feature_names_)))
        return check_series(rows, self._source.feature_names_, 0)[0]

    def _begin_series(self) -> None:
        causal = self._settings["causal"]
        self._scorer = self._source.point_scorer(causal, wait_for_batch=False)
        self._judge = self._source.point_judge()
        self._last_seen: np.ndarray | None = None
        self._pending_rows = np.zeros(0, np.int64)  # rows that came and are not final
        self._pending_times = np.zeros(0)

    def _contributions(self, values: np.ndarray) -> Iterator[np.ndarray]:
        """Yields contributions of the rows that are final by now."""
        for first in range(0, len(values), _ROWS_A_STEP):
            part = values[first : first + _ROWS_A_STEP]
            prepared = self._source.prepare_rows(part, self._last_seen)
            self._last_seen = last_seen(part, self._last_seen)
            yield self._combined(self._scorer.update(prepared))

    def _combined(self, outputs: np.ndarray) -> np.ndarray:
        if len(outputs) == 0:
            return np.zeros((0, len(self._source.feature_names_)))
        return self._judge.update(outputs)

    def _judged(self, contributions: np.ndarray) -> StreamUpdate:
        """Decides about the next rows that are final, and takes them from those that wait."""
        count = len(contributions)
        rows, self._pending_rows = self._pending_rows[:count], self._pending_rows[count:]
        times = None
        if self._has_times:
            times, self._pending_times = self._pending_times[:count], self._pending_times[count:]
        scores = contributions.sum(axis=1)
        follows = self._settings["recalibration_span"] > 0
        thresholds = (self._recalibration if follows else self._running).update(scores)
        self._num_scored += count
        return StreamUpdate(
            scores,
            (scores >= thresholds).astype(int),
            contributions=contributions,
            thresholds=thresholds,
            rows=rows,
            timestamps=times,
            events=self._tracker.update(scores, contributions, thresholds, rows, times),
        )


def _load(source: SeriesScorer | str | os.PathLike[str]) -> SeriesScorer:
    """The source itself, or what lies in the folder."""
    if isinstance(source, SeriesScorer):
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise InputError(
            f"a {type(source).__name__} came, expected a fitted detector, an export or a folder"
        )
    if (Path(source) / FILE_NAME).is_file():
        from tsad_keras.detector import load_detector  # Keras; an export needs none

        return load_detector(source)
    return load_export(source)
