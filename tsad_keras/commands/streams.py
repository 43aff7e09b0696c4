"""The command `stream`: lines in from standard input, scores out as they come."""

from __future__ import annotations

import argparse
import codecs
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tsad_keras.commands.models import open_model
from tsad_keras.commands.places import check_output
from tsad_keras.errors import InputError
from tsad_keras.starting import quiet_start

_READ_BYTES = 1 << 16
_LONGEST_LINE = 1 << 20  # characters; nobody's row, and the buffer must be bounded
_SAVE_SECONDS = 30.0
_REPORTED_PROBLEMS = 20  # sentences in full; what follows is only counted


def stream(arguments: argparse.Namespace) -> None:
    """Scores rows from standard input until it ends."""
    for path in (arguments.state, arguments.events):
        if path:
            check_output(Path(path), [])
    if sys.stdin is None:
        raise InputError("standard input is closed, expected rows; pipe a file into the command")
    with quiet_start():
        from tsad_keras.datasets.lines import LineReader

        detector = _make_stream(arguments)
    reader = LineReader(
        detector.feature_names_,
        line_format=arguments.format,
        time_column=arguments.time_column,
    )
    session = _Session(detector, arguments)
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        print("time,anomaly_score,is_anomaly", flush=True)
        for lines in iterate_lines(sys.stdin.fileno()):
            session.take(reader.read(lines))
        session.end()
    finally:
        signal.signal(signal.SIGTERM, previous)
        session.close()


def _make_stream(arguments: argparse.Namespace) -> Any:
    from tsad_keras.streaming import StreamingDetector

    source = open_model(arguments)
    settings = {
        "causal": not arguments.delayed,
        "max_gap": arguments.max_gap,
        "hysteresis": arguments.hysteresis,
        "minimum_gap": arguments.minimum_gap,
        "recalibration_span": arguments.recalibration_span,
    }
    if not arguments.state or not Path(arguments.state).exists():
        return StreamingDetector(source, **settings)
    restored = StreamingDetector.load_state(source, arguments.state)
    if restored.settings != settings:
        raise InputError(
            f"{arguments.state} was saved with other settings ({_listed(restored.settings)}), "
            f"expected {_listed(settings)}; give the same flags, or delete it to begin anew"
        )
    return restored


class _Session:
    """Writes scores and events, reports what is broken, saves the state now and then."""

    def __init__(self, detector: Any, arguments: argparse.Namespace) -> None:
        self._detector = detector
        self._state = arguments.state
        self._quiet = arguments.quiet
        self._events = arguments.events
        self._num_broken = self._num_events = self._num_alarms = 0
        self._dropped = 0
        self._announced: int | None = None
        self._saved = time.monotonic()

    def take(self, rows: Any) -> None:
        """Scores the rows of some lines and writes what is final."""
        for problem in rows.problems:
            self._num_broken += 1
            if self._num_broken <= _REPORTED_PROBLEMS:
                self._say(f"{problem}; skipped")
            elif self._num_broken == _REPORTED_PROBLEMS + 1:
                self._say("further broken lines are counted only")
        self._write(self._detector.update(rows.values, rows.times))
        dropped = self._detector.counts["late"] + self._detector.counts["duplicates"]
        if dropped > self._dropped and self._dropped == 0:
            self._say("a row came late or twice and is dropped; further ones are counted only")
        self._dropped = dropped
        if self._state and time.monotonic() - self._saved > _SAVE_SECONDS:
            self._detector.save_state(self._state)
            self._saved = time.monotonic()

    def end(self) -> None:
        """Writes what waited for later rows, when there will be none."""
        if not self._state:  # else the series goes on with the next start
            self._write(self._detector.finish())

    def close(self) -> None:
        """Saves the state and sums up."""
        counts = self._detector.counts
        if self._state and counts["rows"]:
            self._detector.save_state(self._state)
        if not self._quiet:
            print(
                f"{counts['rows']} rows, {counts['scored']} scored, {self._num_alarms} alarmed "
                f"rows, {self._num_events} events; {self._num_broken} broken lines, "
                f"{counts['late']} late and {counts['duplicates']} doubled rows dropped, "
                f"{counts['gaps']} gaps",
                file=sys.stderr,
            )

    def _write(self, update: Any) -> None:
        from tsad_keras.datasets.table_cells import show_time

        times = update.rows if update.timestamps is None else update.timestamps
        self._num_alarms += int(update.alarms.sum())
        sys.stdout.writelines(
            f"{show_time(when)},{'' if score != score else f'{score:.9g}'},{alarm}\n"
            for when, score, alarm in zip(times, update.scores, update.alarms, strict=True)
        )
        sys.stdout.flush()
        for event in update.events:
            self._num_events += 1
            if self._announced != event.start_row:
                self._announce(event)
            self._announced = None
            self._record(event)
        opened = self._detector.open_event
        if opened is not None and self._announced != opened.start_row:
            self._announce(opened)

    def _announce(self, event: Any) -> None:
        self._announced = event.start_row
        values = event.to_dict()
        where = f"row {event.start_row}" if event.start_time is None else values["start_time"]
        names = ", ".join(f"{f['feature']} {f['share']:.0%}" for f in values["top_features"])
        self._say(f"alarm since {where}: score {event.peak_score:.4g}, {names}")

    def _record(self, event: Any) -> None:
        if self._events:
            with Path(self._events).open("a", encoding="utf-8") as file:
                file.write(json.dumps(event.to_dict()) + "\n")

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(f"tsad-keras stream: {text}", file=sys.stderr, flush=True)


def iterate_lines(descriptor: int) -> Iterator[list[str]]:
    """Yields the complete lines that are there, at once when there is one.

    Args:
        descriptor: An open file, pipe or terminal. Its last line may lack an end.

    Yields:
        Lists of lines without their ends; undecodable bytes are replaced, so that such a line is
        broken and not the stream. A line of more than a million characters is cut.
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    while data := os.read(descriptor, _READ_BYTES):
        *lines, rest = (rest + decoder.decode(data)).split("\n")
        rest = rest[:_LONGEST_LINE]
        if lines:
            yield lines
    rest += decoder.decode(b"", final=True)
    if rest:
        yield [rest]


def _listed(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _interrupt(signal_number: int, frame: Any) -> None:
    raise KeyboardInterrupt
