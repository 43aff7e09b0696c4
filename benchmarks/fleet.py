"""One model for each entity, or one for all? VUS-PR of each entity, four ways.

    python benchmarks/fleet.py --dataset own --data-dir data [--entities E ...] [--seeds 0 1]
        [--ways each joint scaled adapted] [--settings memory_size=6000] [--output quality.csv]

- each: a model for each entity;
- joint: one model, one scaler and calibration for all;
- scaled: one model, a scaler and calibration for each entity (`--entity-scaling`);
- adapted: the model of the first entity alone, adapted to each of the others by its normal rows.

Rows are printed as they come; with --output they are kept, and what is there is not run again. The
last line on standard output is one JSON object with the means.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from tsad_keras import ContrastiveGANDetector
from tsad_keras.datasets import list_entities, load_dataset
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.evaluation import evaluate_scores
from tsad_keras.starting import quiet_start

WAYS = ("each", "joint", "scaled", "adapted")


def main() -> None:
    arguments = parse_arguments()
    with quiet_start():
        import tensorflow  # noqa: F401
    names = arguments.entities or list_entities(arguments.dataset, arguments.data_dir)
    datasets = [load_dataset(arguments.dataset, name, arguments.data_dir) for name in names]
    output = Path(arguments.output) if arguments.output else None
    rows = pd.read_csv(output).to_dict("records") if output and output.exists() else []
    done = {(row["seed"], row["way"]) for row in rows}
    for seed in arguments.seeds:
        ways = [way for way in arguments.ways if (seed, way) not in done]
        for row in run_seed(datasets, seed, ways, dict(arguments.settings or [])):
            rows.append(row)
            print("{seed} {way:8} {entity:16} VUS-PR {vus_pr:.3f}".format(**row), flush=True)
        if output:
            pd.DataFrame(rows).to_csv(output, index=False)
    table = pd.DataFrame(rows)
    print(markdown(table))
    means = table.groupby("way")[["vus_pr", "f1", "false_alarm_rate"]].mean().round(4)
    print(json.dumps(means.to_dict("index")))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="own")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--entities", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--output")
    parser.add_argument("--settings", nargs="+", type=setting, metavar="NAME=NUMBER")
    return parser.parse_args()


def setting(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


def run_seed(
    datasets: list[TimeSeriesDataset], seed: int, ways: list[str], settings: dict[str, float]
) -> Iterator[dict[str, Any]]:
    """Yields a row for each way and entity."""

    def fit(X: Any, **more: Any) -> tuple[ContrastiveGANDetector, float]:
        began = time.perf_counter()
        detector = ContrastiveGANDetector(seed=seed, **settings, **more).fit(X, verbose=False)
        return detector, time.perf_counter() - began

    train = {dataset.entity: dataset.train for dataset in datasets}
    if "each" in ways:
        for dataset in datasets:
            yield judge("each", seed, dataset, *fit(dataset.train))
    if "joint" in ways:
        joint, seconds = fit(train)
        for dataset in datasets:
            yield judge("joint", seed, dataset, joint, seconds / len(datasets))
    if "scaled" in ways:
        scaled, seconds = fit(train, entity_scaling=True)
        for dataset in datasets:
            detector = scaled.entity(dataset.entity)
            yield judge("scaled", seed, dataset, detector, seconds / len(datasets))
    if "adapted" in ways:
        first, _ = fit(datasets[0].train)
        for dataset in datasets[1:]:
            began = time.perf_counter()
            adapted = first.adapt(dataset.train)
            yield judge("adapted", seed, dataset, adapted, time.perf_counter() - began)


def judge(
    way: str,
    seed: int,
    dataset: TimeSeriesDataset,
    detector: ContrastiveGANDetector,
    seconds: float,
) -> dict[str, Any]:
    """Scores the test part; the labels come last."""
    scores = detector.decision_function(dataset.test)
    alarms = (scores >= detector.series_threshold(scores)).astype(int)
    metrics = evaluate_scores(dataset.test_labels, scores, alarms)
    return {
        "seed": seed,
        "way": way,
        "entity": dataset.entity,
        "vus_pr": metrics["vus_pr_score"],
        "f1": metrics["f1_score"],
        "false_alarm_rate": float(alarms[dataset.test_labels == 0].mean()),
        "fit_seconds": round(seconds, 1),
    }


def markdown(table: pd.DataFrame) -> str:
    """VUS-PR by entity and way, with the means over the entities that a way has."""
    means = table.pivot_table(index="entity", columns="way", values="vus_pr", sort=False)
    means.loc["mean"] = means.mean()
    shown = means.reindex(columns=[way for way in WAYS if way in means])
    lines = ["| entity | " + " | ".join(shown) + " |", "|---|" + "--:|" * len(shown.columns)]
    for entity, row in shown.iterrows():
        cells = ["–" if pd.isna(value) else f"{value:.3f}"[1:] for value in row]
        lines.append(f"| {entity} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
