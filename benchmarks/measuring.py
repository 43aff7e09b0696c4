"""What the measuring scripts share: threads, process CPU time, side-by-side rounds, conditions.

Ratios are taken within a round, in which every case runs once, and their median is reported: what
else the machine does meets all cases alike.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

Case = Callable[[], Any]

# Not getrusage where it can be helped: on Linux it begins with the peak of the starting process.
_PEAK = """
try:
    with open("/proc/self/status") as _status:
        print(int(_status.read().split("VmHWM:")[1].split()[0]) / 1024)
except (OSError, IndexError):
    import resource as _r
    print(_r.getrusage(_r.RUSAGE_SELF).ru_maxrss / 1024)
"""


def use_threads(count: int) -> None:
    """Limits every library to so many threads; call it before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(count)
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def side_by_side(cases: dict[str, Case], *, rounds: int, calls: int = 3) -> dict[str, list[float]]:
    """CPU seconds of this process for one call of each case, in every round.

    Args:
        cases: By name; each blocks until its result is there.
        rounds: In each, every case is timed once, one after the other.
        calls: Calls that are timed together.

    Returns:
        By name, `rounds` times each.
    """
    for case in cases.values():  # traces, allocations
        for _ in range(3):
            case()
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, case in cases.items():
            began = time.process_time()
            for _ in range(calls):
                case()
            seconds[name].append((time.process_time() - began) / calls)
    return seconds


def ratio(numerator: list[float], denominator: list[float]) -> float:
    """Median over the rounds of numerator / denominator."""
    return statistics.median(a / b for a, b in zip(numerator, denominator, strict=True))


def peak_flops(threads: int, *, size: int = 1024, repeats: int = 20) -> float:
    """Floating-point operations a second of TensorFlow's float32 matrix product, at best."""
    import tensorflow as tf

    matrix = tf.random.normal((size, size))
    product = tf.function(lambda: tf.linalg.matmul(matrix, matrix)[0, 0])
    seconds = side_by_side({"product": lambda: product().numpy()}, rounds=repeats, calls=1)
    return 2.0 * size**3 / min(seconds["product"]) * threads


def graph_flops(function: Any) -> int:
    """Floating-point operations of a concrete function, as TensorFlow's profiler counts them."""
    import tensorflow as tf

    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    profile = tf.compat.v1.profiler.profile(function.graph, options=options)
    return int(profile.total_float_ops)


def fresh_process(code: str, *, threads: int | None = None) -> tuple[str, float, float]:
    """Runs Python code in a process of its own.

    Returns:
        Its last line of output, its peak resident memory in MB and its wall time in seconds.
    """
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="2")
    if threads is not None:
        environment.update(OMP_NUM_THREADS=str(threads), TF_NUM_INTRAOP_THREADS=str(threads))
        environment["TF_NUM_INTEROP_THREADS"] = str(threads)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code + _PEAK],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"a measured process failed:\n{done.stderr[-2000:]}")
    lines = done.stdout.strip().splitlines()
    return (lines[-2] if len(lines) > 1 else ""), float(lines[-1]), seconds


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def conditions() -> dict[str, Any]:
    """What the figures depend on: cores and versions."""
    versions = {}
    for package in ("tensorflow", "keras", "numpy", "torch"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {"cores": num_cores(), "python": platform.python_version(), **versions}
