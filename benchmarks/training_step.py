"""Windows a second of the training step, beside a plain PyTorch model of the same shape.

    taskset -c 0 python benchmarks/training_step.py
    pip install torch                                  # else PyTorch's rows are left out

Every case reconstructs 64 windows of 100 steps x 38 features with patches of 5 steps, width 128,
one layer and no bottleneck, and updates with AdamW after clipping; `all losses` adds both views'
contrast and the discriminator with its own optimizer, `default` is the default preset (32 windows
in two views, bottleneck). One thread, CPU time of the process. Scoring is the forward pass and the
squared error. The last line is one JSON object.

FLOPs of the reconstruction step, by hand, a multiplication and an addition counting as two:

    tokens                        64 windows x 20 = 1280
    patch embedding, decoder      1280 x 190 x 128, twice
    queries, keys, values, output 1280 x 128 x 128, four times
    attention                     64 x 20 x 20 x 128, twice (scores, values)
    feed-forward                  1280 x 128 x 256, twice
    sum                           236.5 M multiplications forward
    backward                      twice as many, but for the gradient of the windows themselves
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from measuring import Case, conditions, graph_flops, peak_flops, ratio, side_by_side, use_threads

WINDOW_SIZE, NUM_FEATURES, PATCH_SIZE, HIDDEN, INTERMEDIATE, HEADS = 100, 38, 5, 128, 256, 4
BATCH = 64
PRODUCT = 1024  # rows and columns of the matrices by which the peak is measured
RECONSTRUCTION = {"contrastive_weight": 0.0, "adversarial_weight": 0.0, "bottleneck_dim": 0}
STEPS = {
    "reconstruction only": RECONSTRUCTION,
    "all losses": {"bottleneck_dim": 0},
    "default": {},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="rate of the training step")
    parser.add_argument("--rounds", type=int, default=25, help="times each case runs (%(default)s)")
    parser.add_argument("--xla", action="store_true", help="also the steps under XLA")
    parsed = parser.parse_args(arguments)
    torch_cases = _torch_cases()  # first: its build for GPUs crashes when it comes after TensorFlow
    use_threads(1)
    peak = peak_flops(1, size=PRODUCT)
    steps, flops = _steps(parsed.xla)
    scores = _scoring(parsed.xla)
    if torch_cases is None:
        print("PyTorch cannot be imported: its rows are left out", file=sys.stderr)
    else:
        steps["PyTorch"], scores["PyTorch"], product = torch_cases
    result: dict[str, Any] = {
        "benchmark": "training_step",
        **conditions(),
        "peak_gflops": peak / 1e9,
    }
    if torch_cases is not None:  # its libraries are not equally good on all processors
        torch_peak = 2.0 * PRODUCT**3 / min(side_by_side({"": product}, rounds=20, calls=1)[""])
        result["torch_peak_gflops"] = torch_peak / 1e9
        print(f"matrix product, GFLOPS: {peak / 1e9:.0f}, PyTorch's {torch_peak / 1e9:.0f}")
    result["flops_by_hand"] = flops_by_hand()
    result["flops_of_graph"] = flops
    result["steps"] = _table(
        side_by_side(steps, rounds=parsed.rounds), BATCH, "windows", peak=peak, flops=flops
    )
    result["scoring"] = _table(
        side_by_side(scores, rounds=parsed.rounds), BATCH * WINDOW_SIZE, "window-points"
    )
    print(json.dumps(result))
    return 0


def flops_by_hand(batch_size: int = BATCH) -> int:
    """FLOPs of a step that only reconstructs, matrix products alone (see the top)."""
    tokens = batch_size * WINDOW_SIZE // PATCH_SIZE
    patch = PATCH_SIZE * NUM_FEATURES
    embedding = tokens * patch * HIDDEN
    projections = 4 * tokens * HIDDEN * HIDDEN
    attention = 2 * batch_size * (WINDOW_SIZE // PATCH_SIZE) ** 2 * HIDDEN
    feed_forward = 2 * tokens * HIDDEN * INTERMEDIATE
    forward = 2 * embedding + projections + attention + feed_forward
    return 2 * (3 * forward - embedding)


def _steps(with_xla: bool) -> tuple[dict[str, Case], int]:
    """The cases, and the FLOPs of the first as its graph has them."""
    import tensorflow as tf

    cases: dict[str, Case] = {}
    flops = 0
    for name, settings in STEPS.items():
        step, batch = make_step_and_batch(settings)
        flops = flops or graph_flops(step.train_step.get_concrete_function(batch))
        cases[name] = _blocking(step, step.train_step, batch)
        if with_xla:
            fresh, batch = make_step_and_batch(settings)
            compiled = tf.function(fresh.train_step.python_function, jit_compile=True)
            cases[f"{name}, XLA"] = _blocking(fresh, compiled, batch)
    return cases, flops


def make_step_and_batch(
    settings: dict[str, Any], num_features: int = NUM_FEATURES
) -> tuple[Any, dict[str, Any]]:
    """A training step and a batch of 32 windows in two views: the networks see 64."""
    import tensorflow as tf

    from tsad_keras.config import Config
    from tsad_keras.detector.fitting import make_step
    from tsad_keras.detector.networks import build_networks

    config = Config(**settings)
    shape = (config.batch_size, config.window_size, num_features)
    batch = {name: tf.random.normal(shape) for name in ("windows", "view_a", "view_b")}
    batch |= {name: tf.random.uniform(shape) < 0.15 for name in ("mask_a", "mask_b")}
    return make_step(config, build_networks(config, num_features)), batch


def _blocking(owner: object, train_step: Callable, batch: dict[str, Any]) -> Case:
    """A case that waits for the loss; it keeps the owner alive, which a method's graph does not."""

    def case(owner: object = owner) -> float:
        return float(train_step(batch)["generator_loss"])

    return case


def _scoring(with_xla: bool) -> dict[str, Case]:
    import tensorflow as tf

    from tsad_keras.config import Config
    from tsad_keras.detector.networks import build_networks

    network = build_networks(Config(**RECONSTRUCTION), NUM_FEATURES).autoencoder
    windows = tf.random.normal((BATCH, WINDOW_SIZE, NUM_FEATURES))

    def errors(windows):
        reconstruction = network(windows, training=False)["reconstruction"]
        return tf.math.squared_difference(windows, reconstruction)

    graph = tf.function(errors)
    cases = {"forward pass": lambda: graph(windows).numpy()}
    if with_xla:
        compiled = tf.function(errors, jit_compile=True)
        cases["forward pass, XLA"] = lambda: compiled(windows).numpy()
    return cases


def _torch_cases() -> tuple[Case, Case, Case] | None:
    """The same autoencoder in plain PyTorch: a step, a forward pass; and a large matrix product."""
    try:
        import torch
        from torch import nn
        from torch.nn import functional
    except ImportError:
        return None
    torch.set_num_threads(1)

    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            patch = PATCH_SIZE * NUM_FEATURES
            self.embedding, self.decoder = nn.Linear(patch, HIDDEN), nn.Linear(HIDDEN, patch)
            self.positions = nn.Parameter(torch.zeros(1, WINDOW_SIZE // PATCH_SIZE, HIDDEN), False)
            self.norms = nn.ModuleList(nn.LayerNorm(HIDDEN) for _ in range(3))
            self.joint, self.output = nn.Linear(HIDDEN, 3 * HIDDEN), nn.Linear(HIDDEN, HIDDEN)
            self.wide, self.narrow = (
                nn.Linear(HIDDEN, INTERMEDIATE),
                nn.Linear(INTERMEDIATE, HIDDEN),
            )

        def forward(self, windows):
            batch_size, num_patches = windows.shape[0], WINDOW_SIZE // PATCH_SIZE
            tokens = self.embedding(windows.reshape(batch_size, num_patches, -1)) + self.positions
            joint = self.joint(self.norms[0](tokens))
            joint = joint.view(batch_size, num_patches, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
            attended = functional.scaled_dot_product_attention(*joint).transpose(1, 2)
            tokens = tokens + self.output(attended.reshape(batch_size, num_patches, HIDDEN))
            tokens = tokens + self.narrow(functional.gelu(self.wide(self.norms[1](tokens))))
            return self.decoder(self.norms[2](tokens)).reshape(windows.shape)

    network = Autoencoder()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-5)
    windows = torch.randn(BATCH, WINDOW_SIZE, NUM_FEATURES)

    def step() -> float:
        optimizer.zero_grad()
        loss = functional.mse_loss(network(windows), windows)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        return loss.item()

    def score():
        with torch.no_grad():
            return (network(windows) - windows).square().numpy()

    matrix = torch.randn(PRODUCT, PRODUCT)
    return step, score, lambda: (matrix @ matrix)[0, 0].item()


def _table(
    seconds: dict[str, list[float]],
    amount: int,
    unit: str,
    *,
    peak: float | None = None,
    flops: int = 0,
) -> dict[str, dict[str, float]]:
    """Prints the cases and returns their figures."""
    first = next(iter(seconds))
    print(f"\n{'case':<28} {unit + ' / CPU s':>22} {'of PyTorch':>11} {'of ' + first:>24}")
    rows = {}
    for name, times in seconds.items():
        row = {
            "per_second": amount / statistics.median(times),
            "ms": 1e3 * statistics.median(times),
        }
        row["of_first"] = ratio(seconds[first], times)
        if "PyTorch" in seconds:
            row["of_torch"] = ratio(seconds["PyTorch"], times)
        if peak and name == first:
            row["share_of_peak"] = flops_by_hand() / statistics.median(times) / peak
        rows[name] = row
        against = f"{row['of_torch']:.2f}" if "of_torch" in row else "-"
        print(f"{name:<28} {row['per_second']:>22,.0f} {against:>11} {row['of_first']:>24.2f}")
    if peak:
        share = rows[first]["share_of_peak"]
        print(
            f"{first}: {flops_by_hand() / 1e9:.3f} GFLOP by hand, {flops / 1e9:.3f} in the graph; "
            f"{share:.0%} of the {peak / 1e9:.0f} GFLOPS of a matrix product"
        )
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
