"""What several seeds together are worth, and what a tuned configuration is worth, on unseen data.

    python benchmarks/ensembles.py --members 3 --output runs/ensembles
    python benchmarks/ensembles.py --config runs/tune/best.json --output runs/tuned

Each data seed makes another synthetic set: training and test part, anomalies, relations between
features. As every model finds its anomalies, `injected_vus_pr` is measured on harder ones: those of
`tsad_keras.tuning.injection`, put into the 6,000 normal rows that follow the training part.

Members have the seeds 0, 1, ... Prints a row for each member and both ways to combine them, and the
means over the data seeds; `results.csv` in the folder holds the same. Members that are finished are
read from the folder.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tsad_keras.combination import COMBINATIONS
from tsad_keras.config import Config
from tsad_keras.datasets import load_dataset
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.detector import ContrastiveGANDetector, EnsembleDetector
from tsad_keras.evaluation import average_precision_score, f1_score, vus_pr_score
from tsad_keras.tuning.injection import Injected, inject

FIELDS = ("data_seed", "model", "injected_vus_pr", "vus_pr", "average_precision", "f1_label_free")
NUM_FOLLOWING = 6000  # normal rows that follow the training part
INJECTION_SEED = 7000  # not one of those that `tune` uses


def main(arguments: list[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--members", type=int, default=1)
    parser.add_argument("--config", help="JSON file of settings (default: those of the preset)")
    parser.add_argument("--num-train", type=int, default=30_000)
    parser.add_argument("--output", type=Path, required=True, help="folder")
    parsed = parser.parse_args(arguments)
    config = Config.from_json(parsed.config) if parsed.config else Config()
    parsed.output.mkdir(parents=True, exist_ok=True)
    rows = []
    for data_seed in parsed.data_seeds:
        dataset = load_dataset("synthetic", seed=data_seed, num_train=parsed.num_train)
        # The same rows and more: a longer series begins with the shorter one.
        longer = load_dataset(
            "synthetic", seed=data_seed, num_train=parsed.num_train + NUM_FOLLOWING
        )
        spread = dataset.train.std(axis=0)
        injected = inject(longer.train[parsed.num_train :], spread, INJECTION_SEED + data_seed)
        folder = parsed.output / f"data-{data_seed}"
        for name, detector in _models(config, parsed.members, dataset.train, folder):
            row = {"data_seed": data_seed, "model": name, **_judged(detector, dataset, injected)}
            rows.append(row)
            print(" ".join(map(str, row.values())), flush=True)
        with (parsed.output / "results.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    for name in dict.fromkeys(row["model"] for row in rows):
        chosen = [row for row in rows if row["model"] == name]
        means = (f"{field} {np.mean([row[field] for row in chosen]):.4f}" for field in FIELDS[2:])
        print(f"mean of {len(chosen)}: {name}", *means)


def _models(
    config: Config, num_members: int, train: np.ndarray, folder: Path
) -> Iterator[tuple[str, ContrastiveGANDetector | EnsembleDetector]]:
    if num_members == 1:
        seeded = dataclasses.replace(config, seed=0)
        yield "single", ContrastiveGANDetector.from_config(seeded).fit(train, verbose=False)
        return
    for mode in COMBINATIONS:
        ensemble = EnsembleDetector.of_seeds(dataclasses.replace(config, seed=0), num_members, mode)
        ensemble.fit(train, verbose=False, directory=folder)
        if mode == COMBINATIONS[0]:
            for number, member in enumerate(ensemble.members_):
                yield f"member {number}", member
        yield f"ensemble, {mode}", ensemble


def _judged(
    detector: ContrastiveGANDetector | EnsembleDetector,
    dataset: TimeSeriesDataset,
    injected: Injected,
) -> dict[str, float]:
    scores = detector.decision_function(dataset.test)
    alarms = (scores >= detector.series_threshold(scores)).astype(int)
    values = (
        vus_pr_score(injected.flags, detector.decision_function(injected.values)),
        vus_pr_score(dataset.test_labels, scores),
        average_precision_score(dataset.test_labels, scores),
        f1_score(dataset.test_labels, alarms),
    )
    return dict(zip(FIELDS[2:], (round(value, 4) for value in values), strict=True))


if __name__ == "__main__":
    main()
