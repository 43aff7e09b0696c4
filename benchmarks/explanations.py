"""Which features `explain` blames for SMD's true segments, and which the data's authors list.

    python benchmarks/explanations.py --data-dir data [--entities machine-1-6 ...] [--seeds 2]

Trains the default detector on each machine and prints HitRate@100 % and NDCG@5 of its
contributions, beside those of the squared z-scores and of a random order (exact means): means over
the machines, with the standard deviation over seeds, and each machine's. Every true segment counts,
found or not. Labels only judge. The last line is one JSON object with all of it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from tsad_keras import ContrastiveGANDetector, load_dataset
from tsad_keras.benchmark.explained import EXPLANATION_METRICS, explanation_facts
from tsad_keras.errors import InputError
from tsad_keras.reporting.aggregate import mean_explanations
from tsad_keras.reporting.tables import markdown_table, number

ENTITIES = ("machine-1-6", "machine-1-7", "machine-2-1", "machine-2-2")
LABEL = "Contrastive-GAN detector"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the tables; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(description="explanations against SMD's interpretation labels")
    parser.add_argument("--data-dir", default="data")
    parser.add_argument("--entities", nargs="+", default=ENTITIES)
    parser.add_argument("--seeds", type=int, default=2)
    parsed = parser.parse_args(arguments)
    try:
        runs = measure(parsed.data_dir, parsed.entities, parsed.seeds)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print_table("all", runs)
    for entity in parsed.entities:
        print_table(entity, [run for run in runs if run["entity"] == entity])
    print(json.dumps({"mean": mean_explanations(runs), "runs": runs}))
    return 0


def measure(
    data_dir: str, entities: Sequence[str], seeds: int, **config: Any
) -> list[dict[str, Any]]:
    """One dict for each machine and seed with `entity`, `seed` and `explanations`.

    Args:
        data_dir: Folder of the datasets.
        entities: Machines.
        seeds: Models a machine, seeds 0, 1 ...
        **config: Settings of the detector other than the defaults.

    Raises:
        InputError: If a machine has no `interpretation_label`, or its files are not there.
    """
    if seeds < 1:
        raise InputError(f"--seeds is {seeds}, expected 1 or more")
    datasets = {entity: load_dataset("smd", entity, data_dir) for entity in entities}
    for entity, dataset in datasets.items():
        if not dataset.test_segments:
            raise InputError(
                f"{entity} has no interpretation_label file, expected one; run: "
                "tsad-keras download smd"
            )
    runs = []
    for entity, dataset in datasets.items():
        for seed in range(seeds):
            detector = ContrastiveGANDetector(**config, seed=seed)
            detector.fit(dataset.train, verbose=False)
            facts = explanation_facts(dataset, detector, detector.explain(dataset.test), LABEL)
            runs.append({"entity": entity, "seed": seed, "explanations": facts})
    return runs


def print_table(name: str, runs: list[dict[str, Any]]) -> None:
    """Prints means over machines, with the standard deviation over seeds."""
    mean = mean_explanations(runs)
    rows = [
        [row["ranking"], *(number(row[key], row["spread"].get(key)) for key in EXPLANATION_METRICS)]
        for row in mean["rows"]
    ]
    print(f"{name}: {mean['num_segments']:g} segments a machine\n")
    print(markdown_table(["by", *EXPLANATION_METRICS], rows) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
