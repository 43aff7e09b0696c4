"""How hard the synthetic set is: window-level F1 of Isolation Forest at its best threshold.

    python benchmarks/synthetic_difficulty.py --seeds 6

Prints a line a seed and, as its last line, one JSON object.
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from sklearn.ensemble import IsolationForest

from tsad_keras.datasets.synthetic import make_synthetic
from tsad_keras.evaluation import best_f1_score
from tsad_keras.scaling import Scaler
from tsad_keras.windows import gather_windows, window_starts

WINDOW_SIZE, STRIDE = 100, 50  # the published protocol


def window_f1(seed: int, **sizes: int) -> float:
    """Best window-level F1 (oracle) on the set of one seed; a window scores its points' mean."""
    data = make_synthetic(seed=seed, **sizes)
    scaler = Scaler(clip=10.0).fit([data.train])
    forest = IsolationForest(random_state=0).fit(scaler.transform(data.train))
    scores = -forest.score_samples(scaler.transform(data.test))
    starts = window_starts(data.num_test, WINDOW_SIZE, STRIDE)
    labels = gather_windows(data.test_labels, starts, WINDOW_SIZE).any(axis=1).astype(int)
    return best_f1_score(labels, gather_windows(scores, starts, WINDOW_SIZE).mean(axis=1))


def main(arguments: list[str] | None = None) -> None:
    """Runs all seeds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6)
    values = []
    for seed in range(parser.parse_args(arguments).seeds):
        values.append(window_f1(seed))
        print(f"seed {seed}: {values[-1]:.3f}")
    print(json.dumps({"mean": round(float(np.mean(values)), 4), "best_f1_score": values}))


if __name__ == "__main__":
    main()
