"""What masks and windows cost beside a training step, and geometric masks beside a Python loop.

    taskset -c 0 python benchmarks/input_pipeline.py

`input` iterates over `training_pipeline` as `fit` does, at the default settings (32 windows of 100
steps x 38 features a batch, 20 batches an epoch, 10 epochs): starts are drawn, windows gathered and
two views masked. It is compared with the default training step of `training_step.py`. The masks of
one batch, (64, 100, 38), are compared with a loop that draws a number for every single value and
keeps a state: with `numpy.random.rand()`, as published implementations do, which the bar is about,
and with Python's own generator, which is faster for single numbers. One thread, CPU time of the
process, ratios within a round. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import Case, conditions, ratio, side_by_side, use_threads

NUM_FEATURES, NUM_ROWS = 38, 24_000
LIMIT_SHARE, LEAST_SPEED_UP = 0.05, 100.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="cost of masks and windows")
    parser.add_argument("--rounds", type=int, default=9, help="times each case runs (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="training steps a round")
    parser.add_argument("--epochs", type=int, default=10, help="of the pipeline, a round")
    parser.add_argument("--mask-calls", type=int, default=50, help="masks a round, a batch each")
    parsed = parser.parse_args(arguments)
    use_threads(1)
    result: dict[str, Any] = {"benchmark": "input_pipeline", **conditions()}
    result["input"] = _input(parsed.rounds, parsed.steps, parsed.epochs)
    result["masks"] = _masks(parsed.rounds, parsed.mask_calls)
    print(json.dumps(result))
    return 0


def loop_mask(
    shape: tuple[int, int, int],
    draw: Callable[[], float],
    *,
    masking_ratio: float = 0.15,
    mean_mask_length: float = 3.0,
) -> np.ndarray:
    """The law of `geometric_mask`, value by value: True = hidden.

    Args:
        shape: `(batch_size, window_size, num_features)`.
        draw: Gives a uniform number in [0, 1) at each call.
        masking_ratio: Long-run share of hidden values, r.
        mean_mask_length: Mean length of a hidden run, l.
    """
    batch_size, window_size, num_features = shape
    to_kept = 1.0 / mean_mask_length
    changes = (to_kept * masking_ratio / (1.0 - masking_ratio), to_kept)  # from kept, from hidden
    mask = np.zeros(shape, bool)
    for window in range(batch_size):
        for feature in range(num_features):
            hidden = int(draw() < masking_ratio)
            for step in range(window_size):
                mask[window, step, feature] = hidden
                if draw() < changes[hidden]:
                    hidden = 1 - hidden
    return mask


def _input(rounds: int, num_steps: int, epochs: int) -> dict[str, Any]:
    """Milliseconds a batch and a step, and the share."""
    from training_step import make_step_and_batch

    from tsad_keras.config import Config

    config = Config()
    step, batch = make_step_and_batch({})  # of the same table

    def steps() -> None:
        for _ in range(num_steps):
            float(step.train_step(batch)["generator_loss"])

    num_batches = epochs * config.steps_per_epoch
    cases: dict[str, Case] = {
        "training step": steps,
        "input": _pipeline(config, epochs, config.mask_type),
        "input without masks": _pipeline(config, epochs, "none"),
    }
    seconds = side_by_side(cases, rounds=rounds, calls=1)
    amounts = {name: num_steps if name == "training step" else num_batches for name in cases}
    single = {name: [s / amounts[name] for s in times] for name, times in seconds.items()}
    found: dict[str, Any] = {}
    print(f"{'case':<24} {'ms':>8} {'of a step':>10}")
    for name, times in single.items():
        share = ratio(times, single["training step"])
        found[name] = {"ms": 1e3 * statistics.median(times), "of_step": share}
        print(f"{name:<24} {found[name]['ms']:>8.3f} {share:>10.1%}")
    share = found["input"]["of_step"]
    print(f"limit {LIMIT_SHARE:.0%} of a step: {'met' if share < LIMIT_SHARE else 'MISSED'}\n")
    return found | {"met": share < LIMIT_SHARE}


def _pipeline(config: Any, epochs: int, mask_type: str) -> Case:
    """A case that makes all batches of a training; it ends with the last, so nothing runs on."""
    import tensorflow as tf

    from tsad_keras.pipelines import training_pipeline
    from tsad_keras.windows import window_starts

    series = np.random.default_rng(0).normal(size=(NUM_ROWS, NUM_FEATURES)).astype(np.float32)
    pipeline = training_pipeline(
        series,
        window_starts(NUM_ROWS, config.window_size, config.stride),
        window_size=config.window_size,
        batch_size=config.batch_size,
        steps_per_epoch=config.steps_per_epoch,
        epochs=epochs,
        seed=0,
        mask_type=mask_type,
        mask_mode=config.mask_mode,
        masking_ratio=config.masking_ratio,
        mean_mask_length=config.mean_mask_length,
        jitter=config.jitter,
    )
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    pipeline = pipeline.with_options(options)

    def case() -> None:
        for batch in pipeline:
            batch["mask_b"].shape  # noqa: B018 (a batch that came is complete)

    return case


def _masks(rounds: int, calls: int) -> dict[str, Any]:
    """Milliseconds for the masks of both views of a batch, and how often faster than each loop."""
    import tensorflow as tf

    from tsad_keras.config import Config
    from tsad_keras.masking import geometric_mask, random_mask

    config = Config()
    shape = (2 * config.batch_size, config.window_size, NUM_FEATURES)
    seed = tf.constant([0, 1], tf.int64)
    compiled = {
        "geometric_mask": tf.function(lambda seed: geometric_mask(shape, seed)),
        "random_mask (Bernoulli)": tf.function(lambda seed: random_mask(shape, seed)),
    }

    def many(function: Callable) -> Case:
        def case() -> None:
            for _ in range(calls):
                function(seed).numpy()

        return case

    cases: dict[str, Case] = {name: many(function) for name, function in compiled.items()}
    legacy = np.random.RandomState(0).rand  # what numpy.random.rand() calls
    generators = {"NumPy": legacy, "Python": random.Random(0).random}
    for name, draw in generators.items():
        cases[f"loop, {name}'s numbers"] = lambda draw=draw: loop_mask(shape, draw)
    seconds = side_by_side(cases, rounds=rounds, calls=1)
    single = {n: [s / (calls if n in compiled else 1) for s in t] for n, t in seconds.items()}
    found: dict[str, Any] = {}
    print(f"{'mask of ' + str(shape):<28} {'ms':>9} {'times faster':>13}")
    for name, times in single.items():
        found[name] = {
            "ms": 1e3 * statistics.median(times),
            "speed_up": ratio(times, single["geometric_mask"]),
        }
        print(f"{name:<28} {found[name]['ms']:>9.3f} {found[name]['speed_up']:>13.1f}")
    met = found["loop, NumPy's numbers"]["speed_up"] >= LEAST_SPEED_UP
    print(f"at least {LEAST_SPEED_UP:.0f} times as fast: {'met' if met else 'MISSED'}")
    return found | {"met": met}


if __name__ == "__main__":
    raise SystemExit(main())
