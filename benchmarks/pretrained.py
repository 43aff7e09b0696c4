"""Makes the small pre-trained model that lies in `saved_models/synthetic`.

    python benchmarks/pretrained.py [--output saved_models/synthetic]

Trains the default detector (seed 0) on the built-in synthetic set (seed 0), saves it, exports it
as the next version, and writes two samples of the test part: `sample.csv`, 400 rows with times and
an anomaly among them, and `sample_request.json`, one window as a request for the server. Run it
again when a default, the synthetic set or the form of the export changes, and remove the version
before.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from tsad_keras import ContrastiveGANDetector, export_saved_model, load_dataset
from tsad_keras.errors import InputError
from tsad_keras.evaluation.events import flags_to_events
from tsad_keras.files import atomic_write

NUM_SAMPLE_ROWS = 400
DECIMALS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the folder; returns the exit code, 2 for bad input."""
    parser = argparse.ArgumentParser(description="the pre-trained model of the synthetic set")
    parser.add_argument("--output", default="saved_models/synthetic")
    folder = Path(parser.parse_args(arguments).output)
    dataset = load_dataset("synthetic")
    try:
        detector = ContrastiveGANDetector()
        detector.fit(dataset.train, feature_names=dataset.feature_names)
        detector.save(folder)
        version = export_saved_model(detector, folder)
        sample = make_sample(dataset.test, dataset.test_labels, dataset.feature_names)
        with atomic_write(folder / "sample.csv") as file:
            sample.to_csv(file, index=False)
        window = sample.drop(columns="time").to_numpy()[: detector.config.window_size]
        with atomic_write(folder / "sample_request.json") as file:
            json.dump({"instances": [window.tolist()]}, file)
    except InputError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return 2
    print(f"model: {folder}\nexport: {version}")
    return 0


def make_sample(
    values: np.ndarray, labels: np.ndarray, feature_names: Sequence[str]
) -> pd.DataFrame:
    """Rows around the middle of the first event, rounded, one a minute."""
    start, end = flags_to_events(labels.astype(bool))[0]
    first = int(np.clip((start + end - NUM_SAMPLE_ROWS) // 2, 0, len(values) - NUM_SAMPLE_ROWS))
    rows = values[first : first + NUM_SAMPLE_ROWS].round(DECIMALS)
    frame = pd.DataFrame(rows, columns=list(feature_names))
    times = pd.date_range("2026-01-01", periods=len(frame), freq="min")
    frame.insert(0, "time", times.strftime("%Y-%m-%dT%H:%M"))
    return frame


if __name__ == "__main__":
    raise SystemExit(main())
