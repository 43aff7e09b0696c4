"""Load test of `serve`: throughput, delay, share of the model, right answers, flat memory.

    python benchmarks/serving.py                                # a small export made on the spot
    python benchmarks/serving.py --export-dir saved_models/mine --formats json npy
    python benchmarks/serving.py --export-dir saved_models/mine --minutes 10     # memory only

A server is started on a free loopback port. One process sends `:predict` requests of windows over
connections that are kept open, each the next when the last is answered, until `--seconds` or
`--requests` are over. Requests differ: those that are under way together share no window. Every
answer is kept and compared with the library's scores after the clock has stopped.

JSON is what TensorFlow Serving's clients send; `--formats npy` sends NumPy's format instead.

The bare model is measured before, in a process of its own: direct calls of the same signature with
windows that are tensors already, by two threads as in the server, at the best of several batch
sizes; and once more with TensorFlow's own choice of threads. The sender takes part of the same
cores as the server. Printed is a table; the last line is one JSON object with the same figures.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tsad_keras.serving.client import to_npy

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

NUM_WINDOWS = 1024  # distinct windows that requests are made of
BARE_SIZES = (8, 16, 32, 64, 128, 256)
TOLERANCE = 1e-5


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the load test and prints it; returns 1 if an answer was lost or wrong."""
    parser = argparse.ArgumentParser(description="load test of the server, loopback only")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--export-dir", help="folder of exported versions")
    which.add_argument("--model-dir", help="a trained model, exported for the test")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--formats", nargs="+", choices=["json", "npy"], default=["json", "npy"])
    parser.add_argument("--seconds", type=float, default=5.0, help="a case (%(default)s)")
    parser.add_argument("--requests", type=int, default=20_000, help="a case (%(default)s)")
    parser.add_argument("--threads", type=int, default=0, help="as `serve --threads`")
    parser.add_argument("--minutes", type=float, default=0.0, help="memory run instead of cases")
    parser.add_argument(
        "--bare-seconds", type=float, default=2.0, help="of each size, bare (%(default)s)"
    )
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parsed = parser.parse_args(arguments)
    if parsed.bare:
        print(json.dumps(measure_bare(Path(parsed.bare), parsed.threads, parsed.bare_seconds)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        export_dir = find_export(parsed, Path(folder))
        result = memory_run(export_dir, parsed) if parsed.minutes else load_run(export_dir, parsed)
    result.update(conditions())
    print(json.dumps(result))
    return int(any(map(bad, result["rows"])))


# --- what is served ------------------------------------------------------------------------------


def find_export(parsed: argparse.Namespace, folder: Path) -> Path:
    """The export to serve; one is made if none is given."""
    if parsed.export_dir:
        return Path(parsed.export_dir)
    from tsad_keras.detector import ContrastiveGANDetector, load_detector
    from tsad_keras.export.writer import export_saved_model

    if parsed.model_dir:
        detector = load_detector(parsed.model_dir)
    else:  # how long a pass takes does not depend on how well it was trained
        from tsad_keras.datasets.synthetic import make_synthetic

        train = make_synthetic(0, 3000, 500).train
        detector = ContrastiveGANDetector(epochs=1, steps_per_epoch=5)
        detector.fit(train, verbose=False)
    export_saved_model(detector, folder / "benchmark")
    return folder / "benchmark"


class Material:
    """Windows as JSON texts, and the library's scores of them.

    Args:
        export_dir: The export.
    """

    def __init__(self, export_dir: Path) -> None:
        from tsad_keras.inference.exported import load_export

        detector = load_export(export_dir)
        windows = make_windows(NUM_WINDOWS, detector)
        self.windows = windows
        self.texts = [orjson.dumps(one, option=orjson.OPT_SERIALIZE_NUMPY) for one in windows]
        self.scores = np.stack([detector.decision_function(one) for one in windows])

    def chosen(self, index: int, batch_size: int) -> list[int]:
        """The windows of a request; another order each time all have been used."""
        start = index * batch_size
        step = 2 * (start // NUM_WINDOWS) + 1
        return [(start + step * item) % NUM_WINDOWS for item in range(batch_size)]

    def body(self, index: int, batch_size: int, kind: str) -> bytes:
        chosen = self.chosen(index, batch_size)
        if kind == "npy":
            return to_npy(self.windows[chosen])
        return b'{"inputs":[' + b",".join([self.texts[item] for item in chosen]) + b"]}"

    def is_right(self, index: int, batch_size: int, answer: bytes) -> bool:
        """Whether an answer has the scores of this request's windows, in order."""
        try:
            scores = np.array(orjson.loads(answer)["outputs"]["anomaly_score"])
            expected = self.scores[self.chosen(index, batch_size)]
            return scores.shape == expected.shape and np.allclose(
                scores, expected, rtol=TOLERANCE, atol=TOLERANCE
            )
        except (ValueError, KeyError, TypeError):
            return False


def make_windows(count: int, detector: Any) -> np.ndarray:
    """`(count, window_size, num_features)` float32, no two alike, in the export's range."""
    from tsad_keras.export.writer import REFERENCE_FILE
    from tsad_keras.files import read_arrays

    series = read_arrays(detector.directory / REFERENCE_FILE)[0]["series"]
    shape = (count, detector.config.window_size, series.shape[1])
    noise = np.random.default_rng(0).normal(size=shape)
    return (np.nanmean(series, axis=0) + np.nanstd(series, axis=0) * noise).astype(np.float32)


# --- the bare model ------------------------------------------------------------------------------


def measure_bare(export_dir: Path, threads: int, seconds: float) -> dict[str, Any]:
    """Windows a second of direct calls; `threads` 0 = TensorFlow's own choice, one caller."""
    import tensorflow as tf

    if threads:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
    from tsad_keras.inference.exported import load_export

    detector = load_export(export_dir)
    call = detector.signature("score_windows")
    callers = 2 if threads else 1
    rates = {}
    for size in BARE_SIZES:
        windows = tf.constant(make_windows(size, detector))

        def score(windows: Any = windows) -> None:
            call(windows=windows)["anomaly_score"].numpy()

        score()
        rates[size] = size * _rate(score, callers, seconds)
    best = max(rates, key=rates.get)
    return {"windows_per_second": rates[best], "batch_size": best}


def _rate(function: Any, callers: int, seconds: float) -> float:
    """Calls a second by so many threads."""
    counts = [0] * callers
    started = time.perf_counter()

    def call(number: int) -> None:
        while time.perf_counter() - started < seconds:
            function()
            counts[number] += 1

    workers = [threading.Thread(target=call, args=(number,)) for number in range(callers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - started)


def bare(export_dir: Path, threads: int, seconds: float) -> dict[str, Any]:
    """`measure_bare` in a process of its own."""
    command = [sys.executable, __file__, "--bare", str(export_dir), "--threads", str(threads)]
    command += ["--bare-seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


# --- the server and the sender -------------------------------------------------------------------


class Target:
    """A running server's address and process."""

    def __init__(self, line: str) -> None:
        found = re.fullmatch(r"serving http://127\.0\.0\.1:(\d+)(/v1/models/\S+)\n", line)
        self.port, self.path = int(found[1]), found[2]

    async def metrics(self) -> dict[str, float]:
        """The plain values of `/metrics`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = (await reader.read(-1)).decode()
        writer.close()
        lines = [
            line.split() for line in text.splitlines() if re.match(r"[a-z_]+ [\d.e+-]+$", line)
        ]
        return {name: float(value) for name, value in lines}


@contextlib.contextmanager
def started_server(export_dir: Path, threads: int) -> Iterator[Target]:
    """A server in a process of its own, for a block; it must end with exit code 0."""
    command = [sys.executable, "-m", "tsad_keras", "serve", "--export-dir", str(export_dir)]
    command += ["--port", "0", *(["--threads", str(threads)] if threads else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in process.stdout if line.startswith("serving ")), None)
        if line is None:
            raise RuntimeError("the server did not start")
        yield Target(line)
        process.terminate()
        if process.wait(60):
            raise RuntimeError(f"the server ended with exit code {process.returncode}")
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Load:
    """Connections that send the requests 0, 1, 2 ... between them.

    Args:
        target: Where to.
        material: What of.
        batch_size: Windows a request.
        kind: `json` or `npy`.
        most: Requests at most.
        seconds: Time at most.
    """

    def __init__(
        self,
        target: Target,
        material: Material,
        batch_size: int,
        kind: str,
        most: int,
        seconds: float,
    ) -> None:
        self._target, self._material = target, material
        self._batch_size, self._kind = batch_size, kind
        self._most, self._seconds = most, seconds
        self.num_sent = 0
        self.delays: list[float] = []
        self.answers: list[tuple[int, bytes]] = []
        self.num_surplus_bytes = 0

    async def run(self, concurrency: int) -> float:
        """Sends until the end; returns the seconds it took."""
        started = time.perf_counter()
        end = started + self._seconds
        await asyncio.gather(*(self._connection(end) for _ in range(concurrency)))
        return time.perf_counter() - started

    async def _connection(self, end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._target.port, limit=2**22)
        kind = "application/x-npy" if self._kind == "npy" else "application/json"
        head = f"POST {self._target.path}:predict HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
        with contextlib.suppress(OSError, EOFError):  # what is missing is counted as lost
            while time.perf_counter() < end and self.num_sent < self._most:
                index = self.num_sent
                self.num_sent += 1
                body = self._material.body(index, self._batch_size, self._kind)
                sent = time.perf_counter()
                writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
                answer = await read_answer(reader)
                self.delays.append(time.perf_counter() - sent)
                self.answers.append((index, answer))
        writer.write_eof()
        with contextlib.suppress(OSError):
            self.num_surplus_bytes += len(await reader.read(-1))
        writer.close()

    def verdict(self) -> dict[str, int]:
        """How many answers are lost, doubled or wrong; checks each."""
        indices = [index for index, _ in self.answers]
        wrong = sum(
            not self._material.is_right(index, self._batch_size, answer)
            for index, answer in self.answers
        )
        return {
            "lost": self.num_sent - len(set(indices)),
            "duplicated": len(indices) - len(set(indices)) + bool(self.num_surplus_bytes),
            "wrong": wrong,
        }


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """The body of the next answer, whatever its code."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    size = int(re.search(rb"content-length: (\d+)", head)[1])
    return await reader.readexactly(size)


# --- the two kinds of runs -----------------------------------------------------------------------


def load_run(export_dir: Path, parsed: argparse.Namespace) -> dict[str, Any]:
    """All cases, and the bare model beside them."""
    threads = parsed.threads or max(1, num_cores() // 2)
    bare_rates = {
        f"2 callers, {threads} threads each": bare(export_dir, threads, parsed.bare_seconds),
        "1 caller, TensorFlow's threads": bare(export_dir, 0, parsed.bare_seconds),
    }
    material = Material(export_dir)
    rows = []
    print(
        f"{'format':>6} {'connections':>11} {'windows':>7} {'requests':>8} {'req/s':>7} "
        f"{'windows/s':>9} {'p50 ms':>7} {'p99 ms':>7} {'model':>6} {'a pass':>6} {'cores':>5} "
        f"{'bad':>4}"
    )
    cases = itertools.product(parsed.formats, parsed.batch_sizes, parsed.concurrency)
    with started_server(export_dir, parsed.threads) as target:
        for kind, batch_size, concurrency in cases:
            row = asyncio.run(one_case(target, material, concurrency, batch_size, kind, parsed))
            rows.append(row)
            print(
                f"{kind:>6} {concurrency:>11} {batch_size:>7} {row['requests']:>8} "
                f"{row['requests_per_second']:>7.0f} {row['windows_per_second']:>9.0f} "
                f"{row['p50_ms']:>7.2f} {row['p99_ms']:>7.2f} {row['model_share']:>6.0%} "
                f"{row['windows_per_pass']:>6.1f} {row['server_cores']:>5.2f} {bad(row):>4}",
                flush=True,
            )
    ratios = {}
    for kind in parsed.formats:
        best = max(row["windows_per_second"] for row in rows if row["format"] == kind)
        for name, rate in bare_rates.items():
            ratios[f"{kind}, {name}"] = best / rate["windows_per_second"]
    for name, rate in bare_rates.items():
        reached = ", ".join(f"{k} {ratios[f'{k}, {name}']:.0%}" for k in parsed.formats)
        print(
            f"bare model, {name}: {rate['windows_per_second']:.0f} windows/s at "
            f"{rate['batch_size']}; the server reaches {reached} of it"
        )
    return {"benchmark": "serving", "rows": rows, "bare": bare_rates, "ratio": ratios}


async def one_case(
    target: Target,
    material: Material,
    concurrency: int,
    batch_size: int,
    kind: str,
    parsed: argparse.Namespace,
) -> dict[str, Any]:
    """Figures of one combination, without the seconds of getting warm."""
    await Load(target, material, batch_size, kind, 4 * concurrency, 0.5).run(concurrency)
    load = Load(target, material, batch_size, kind, parsed.requests, parsed.seconds)
    before = await target.metrics()
    seconds = await load.run(concurrency)
    after = await target.metrics()
    spent = {name: after[name] - before.get(name, 0.0) for name in after}
    p50, p99 = np.percentile(load.delays, [50, 99]) * 1000
    return {
        "format": kind,
        "concurrency": concurrency,
        "batch_size": batch_size,
        "requests": load.num_sent,
        "requests_per_second": len(load.answers) / seconds,
        "windows_per_second": len(load.answers) * batch_size / seconds,
        "p50_ms": p50,
        "p99_ms": p99,
        "model_share": spent["tsad_model_seconds_total"] / seconds,
        "windows_per_pass": spent["tsad_batch_size_sum"] / spent["tsad_batch_size_count"],
        "server_cores": spent["process_cpu_seconds_total"] / seconds,
        **load.verdict(),
    }


def memory_run(export_dir: Path, parsed: argparse.Namespace) -> dict[str, Any]:
    """Resident memory under a steady load, and its slope after the first fifth."""
    material = Material(export_dir)
    rows = []
    with started_server(export_dir, parsed.threads) as target:
        started = time.perf_counter()
        print(f"{'minute':>7} {'resident MB':>12} {'requests':>9} {'bad':>4}")
        while (passed := time.perf_counter() - started) < parsed.minutes * 60:
            kind = parsed.formats[len(rows) % len(parsed.formats)]
            interval = min(parsed.minutes * 3, parsed.minutes * 60 - passed)
            load = Load(target, material, parsed.batch_sizes[-1], kind, parsed.requests, interval)
            asyncio.run(load.run(max(parsed.concurrency)))
            resident = asyncio.run(target.metrics())["process_resident_memory_bytes"] / 1e6
            minute = (time.perf_counter() - started) / 60
            row = {"minute": minute, "resident_mb": resident, "requests": load.num_sent}
            rows.append(row | load.verdict())
            print(
                f"{minute:>7.2f} {resident:>12.1f} {load.num_sent:>9} {bad(rows[-1]):>4}",
                flush=True,
            )
    later = rows[len(rows) // 5 :]
    slope = np.polyfit([r["minute"] for r in later], [r["resident_mb"] for r in later], 1)[0]
    print(f"slope after the first fifth: {slope:+.2f} MB a minute")
    return {"benchmark": "serving_memory", "rows": rows, "slope_mb_per_minute": slope}


def bad(row: dict[str, Any]) -> int:
    """Answers that did not come, came twice or are not right."""
    return row["lost"] + row["duplicated"] + row["wrong"]


def num_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def conditions() -> dict[str, Any]:
    """What the figures depend on."""
    import importlib.util

    optional = [n for n in ("simdjson", "uvloop", "httptools") if importlib.util.find_spec(n)]
    return {"cores": num_cores(), "python": platform.python_version(), "with": optional}


if __name__ == "__main__":
    sys.exit(main())
