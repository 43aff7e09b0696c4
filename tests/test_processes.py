"""What only real processes can show: same seed, same weights; killed and resumed, same weights."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tsad_keras

ROOT = Path(tsad_keras.__file__).parents[1]

TRAIN = """
import hashlib, json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import logging
logging.basicConfig(stream=sys.stderr)
import numpy as np
from tsad_keras import ContrastiveGANDetector, load_detector

options = json.loads(sys.argv[1])
series = np.load(options["series"])
detector = ContrastiveGANDetector(**options["config"])
detector.fit(series, verbose=False, checkpoint_path=options.get("checkpoint"))
weights = detector.networks_.weights()
digest = hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()
rows = [{k: v for k, v in row.items() if k != "seconds"} for row in detector.history_]
if "save" in options:
    detector.save(options["save"])
    np.save(options["scores"], detector.decision_function(series))
if "load" in options:
    np.save(options["scores"], load_detector(options["load"]).decision_function(series))
print(json.dumps([digest, detector.threshold_, detector.best_epoch_, rows]))
"""


def start(**options):
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN, json.dumps(options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "random"},
    )


def result(process):
    output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return json.loads(output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_series):
    folder = tmp_path_factory.mktemp("processes")
    np.save(folder / "series.npy", make_series())
    return folder


@pytest.fixture(scope="module")
def options(folder, tiny_config):
    """Settings under which everything that a checkpoint must hold matters."""
    config = {
        **tiny_config,
        "epochs": 6,
        "steps_per_epoch": 8,
        "checkpoint_steps": 1,
        "dropout": 0.1,
        "latent_generator": True,
        "jitter": 0.02,
        "reduce_lr_patience": 1,
        "learning_rate": 2e-2,
        "early_stopping_patience": 0,
    }
    return {"series": str(folder / "series.npy"), "config": config}


@pytest.fixture(scope="module")
def uninterrupted(folder, options):
    return result(start(save=str(folder / "model"), scores=str(folder / "saved.npy"), **options))


@pytest.mark.slow
def test_a_second_process_trains_the_same_weights_and_loads_the_same_scores(
    folder, options, uninterrupted
):
    files = {"load": str(folder / "model"), "scores": str(folder / "loaded.npy")}
    assert result(start(**files, **options)) == uninterrupted
    assert len(uninterrupted[3]) == options["config"]["epochs"]
    saved = np.load(folder / "saved.npy")
    assert saved.shape == (600,)
    assert np.load(folder / "loaded.npy").tobytes() == saved.tobytes()


def wait_until_changed(path, process, times):
    """Waits until the file has been replaced so many times."""
    last, seen = None, 0
    while seen <= times:
        assert process.poll() is None, process.communicate()[1]
        current = path.stat().st_mtime_ns if path.exists() else None
        if current != last:
            last, seen = current, seen + 1
        time.sleep(0.002)


@pytest.mark.slow
def test_killed_and_started_again_it_ends_with_the_same_weights(tmp_path, options, uninterrupted):
    checkpoint = tmp_path / "checkpoint.npz"
    process = start(checkpoint=str(checkpoint), **options)
    wait_until_changed(checkpoint, process, 15)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    with np.load(checkpoint) as file:  # whole, whenever the kill came
        step = int(file["step"])
    assert 10 < step < 48
    assert result(start(checkpoint=str(checkpoint), **options)) == uninterrupted
