"""How the cost of scoring and training grows with length, features, window size and entities.

    taskset -c 0 python benchmarks/growth.py --figure benchmarks/results/growth.png

CPU seconds on one thread at the default settings, one quantity changed at a time:

- scoring: `decision_function`, after a first call that compiles it (of all entities, each alone);
- training: one training step where features or window size change; a whole `fit` with one epoch of
  a few steps where length or entities do. A `fit` has a fixed part (networks, compilation).

The slope is that of a line by least squares through the logarithms: 1 is cost in proportion, 0 is
no growth, 2 is quadratic. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import conditions, use_threads

AXES = {
    "rows": (6000, 12_000, 24_000, 48_000),
    "features": (10, 20, 40, 80),
    "window size": (50, 100, 200, 400),
    "entities": (1, 2, 4, 8),
}
TRAINED = {
    "rows": "fit",
    "features": "training step",
    "window size": "training step",
    "entities": "fit",
}
ROWS, NUM_FEATURES, WINDOW_SIZE, ENTITY_ROWS = 12_000, 38, 100, 3000
FIT_STEPS = 5

Times = dict[str, list[tuple[float, float]]]  # by name, pairs of size and CPU seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, prints and draws."""
    parser = argparse.ArgumentParser(description="cost against size")
    for name, sizes in AXES.items():
        parser.add_argument(
            f"--{name.replace(' ', '-')}", type=int, nargs="*", default=sizes, metavar="SIZE"
        )
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of so many counts")
    parser.add_argument("--figure", help="PNG file to draw")
    parsed = parser.parse_args(arguments)
    use_threads(1)
    _fitted([np.random.default_rng(0).normal(size=(300, 2))], {})  # TensorFlow's own first time
    found: dict[str, Times] = {}
    for name in AXES:
        sizes = getattr(parsed, name.replace(" ", "_"))
        if sizes:
            found[name] = measure(name, sizes, parsed.repeats)
            _print_axis(name, found[name])
    if parsed.figure:
        draw(found, parsed.figure)
    axes = {
        name: {
            case: {"sizes": [n for n, _ in points], "cpu_seconds": [s for _, s in points]}
            | {"slope": slope(points)}
            for case, points in times.items()
        }
        for name, times in found.items()
    }
    print(json.dumps({"benchmark": "growth", **conditions(), "axes": axes}))
    return 0


def slope(points: Sequence[tuple[float, float]]) -> float | None:
    """Exponent of the power law through pairs of size and cost; None for a single size."""
    if len({size for size, _ in points}) < 2:
        return None
    sizes, costs = np.log(np.array(points, float)).T
    return float(np.polyfit(sizes, costs, 1)[0])


def measure(axis: str, sizes: Sequence[int], repeats: int) -> Times:
    """CPU seconds at every size."""
    times: Times = {"scoring": [], TRAINED[axis]: []}
    for size in sizes:
        rows = {"rows": size, "entities": ENTITY_ROWS}.get(axis, ROWS)
        num_features = size if axis == "features" else NUM_FEATURES
        settings = {"window_size": size if axis == "window size" else WINDOW_SIZE}
        count = size if axis == "entities" else 1
        random = np.random.default_rng(0)
        series = [random.normal(size=(rows, num_features)) for _ in range(count)]
        detector, fit_seconds = _fitted(series, settings)

        def score(detector: Any = detector, series: list[np.ndarray] = series) -> None:
            for values in series:
                detector.decision_function(values)

        times["scoring"].append((size, _fastest(score, repeats)))
        if TRAINED[axis] == "fit":
            times["fit"].append((size, fit_seconds))
        else:
            step = _step(settings, num_features)
            times["training step"].append((size, _fastest(step, repeats, calls=5)))
    return times


def _fitted(series: list[np.ndarray], settings: dict[str, Any]) -> tuple[Any, float]:
    from tsad_keras import ContrastiveGANDetector

    detector = ContrastiveGANDetector(epochs=1, steps_per_epoch=FIT_STEPS, **settings)
    began = time.process_time()
    detector.fit(series, verbose=False)
    return detector, time.process_time() - began


def _step(settings: dict[str, Any], num_features: int) -> Callable[[], Any]:
    """A training step on a batch of the default size, which waits for its loss."""
    from training_step import make_step_and_batch

    step, batch = make_step_and_batch(settings, num_features)
    return lambda: float(step.train_step(batch)["generator_loss"])


def _fastest(case: Callable[[], Any], repeats: int, calls: int = 1) -> float:
    """CPU seconds of one call; what disturbs only ever adds to them."""
    case()  # compiles
    found = []
    for _ in range(repeats):
        began = time.process_time()
        for _ in range(calls):
            case()
        found.append((time.process_time() - began) / calls)
    return min(found)


def _print_axis(name: str, times: Times) -> None:
    print(f"\n{name:<18} " + " ".join(f"{size:>9,}" for size, _ in times["scoring"]) + "    slope")
    for case, points in times.items():
        seconds = " ".join(f"{1e3 * s:>9,.1f}" for _, s in points)
        grown = slope(points)
        print(f"{case + ', ms':<18} {seconds} {'-' if grown is None else f'{grown:8.2f}'}")
    sys.stdout.flush()


def draw(found: dict[str, Times], path: str) -> None:
    """One panel an axis, both scales logarithmic; the slope stands beside each line's name."""
    from matplotlib.figure import Figure

    from tsad_keras.plots.drawing import BLUE, ORANGE, save_figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplots(2, 2)
    for axes, (name, times) in zip(panels.flat, found.items(), strict=False):
        for color, (case, points) in zip((BLUE, ORANGE), times.items(), strict=True):
            sizes, seconds = zip(*points, strict=True)
            grown = slope(points)
            label = case if grown is None else f"{case}: slope {grown:.2f}"
            axes.plot(sizes, seconds, color=color, marker="o", markersize=4, label=label)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_title(f"cost against {name}", loc="left")
        axes.set_xlabel(name)
        axes.set_ylabel("CPU seconds")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=9)
    for axes in panels.flat[len(found) :]:
        axes.set_visible(False)
    save_figure(figure, path)


if __name__ == "__main__":
    raise SystemExit(main())
