"""Versions on disk: numbers, content, never a half."""

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
from tsad_keras import ContrastiveGANDetector
from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.errors import InputError
from tsad_keras.export import writer
from tsad_keras.export.requests import TOLERANCE, difference
from tsad_keras.export.writer import export_saved_model
from tsad_keras.inference.export_folders import list_versions
from tsad_keras.inference.exported import load_export


@pytest.fixture
def quickly(monkeypatch):
    """Leaves the graph out, which takes seconds; for what is not about it."""

    def save(module, folder, signatures):
        Path(folder, "variables").mkdir()
        Path(folder, "saved_model.pb").write_bytes(b"")

    monkeypatch.setattr(writer.tf.saved_model, "save", save)
    monkeypatch.setattr(writer, "traced_signatures", lambda graph: {"score_windows": None})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_lies_in_a_version(exported, tiny_detector):
    files = {p.relative_to(exported).as_posix() for p in exported.rglob("*") if p.is_file()}
    assert files == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets/metadata.json",
        "assets/reference.npz",
        "assets.extra/tf_serving_warmup_requests",
        "assets.extra/score_windows.tflite",
    }
    assert exported.name == "1" and names(exported.parent) == ["1"]
    metadata = json.loads((exported / "assets" / "metadata.json").read_text())
    assert metadata["feature_names"] == list(tiny_detector.feature_names_)
    assert metadata["window_size"] == 20 and metadata["num_features"] == 3
    assert metadata["threshold"] == tiny_detector.threshold_
    assert metadata["expected_false_alarm_rate"] == tiny_detector.expected_false_alarm_rate_
    assert metadata["package_version"] == tsad_keras.__version__
    assert metadata["weights_sha256"] == tiny_detector.weights_sha256_
    assert metadata["config"] == tiny_detector.config.to_dict()


def test_weights_are_stored_once(exported, tiny_detector):
    import tensorflow as tf

    stored = tf.train.list_variables(str(exported / "variables" / "variables"))
    networks = tiny_detector.networks_
    expected = [
        list(variable.shape)
        for network in (networks.autoencoder, networks.discriminator)
        for variable in network.variables
    ]
    found = [shape for name, shape in stored if name.startswith("weights/")]
    assert sorted(found) == sorted(expected)


def test_numbers_go_up_whatever_else_lies_there(tmp_path, default_detector, quickly):
    folder = tmp_path / "models" / "m"
    assert export_saved_model(default_detector, folder) == folder / "1"
    assert export_saved_model(default_detector, folder) == folder / "2"
    (folder / "7").mkdir()  # half of a version that somebody else copied there
    for other in ("notes", "007x", "²", "99999999999999999999", "1e9"):
        (folder / other).mkdir()
    (folder / "config.json").write_text("{}")
    assert export_saved_model(default_detector, folder) == folder / "8"
    assert list_versions(folder) == [1, 2, 8]
    mode = (folder / "1").stat().st_mode
    (tmp_path / "ordinary").mkdir()
    assert mode == (tmp_path / "ordinary").stat().st_mode


def test_two_exports_at_once_get_two_numbers(tmp_path, default_detector, quickly, monkeypatch):
    inner, write = [], writer.write_warmup

    def write_and_export(*arguments):
        write(*arguments)
        if not inner:
            inner.append(None)
            inner[0] = export_saved_model(default_detector, tmp_path / "m")

    monkeypatch.setattr(writer, "write_warmup", write_and_export)
    outer = export_saved_model(default_detector, tmp_path / "m")
    assert (inner[0].name, outer.name) == ("1", "2")
    assert names(tmp_path / "m") == ["1", "2"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_export_leaves_nothing(tmp_path, default_detector, quickly, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(writer, "write_warmup", fail)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        export_saved_model(default_detector, tmp_path / "new" / "m")
    assert names(tmp_path) == []


KILLED = """
import sys, time
from tsad_keras import load_detector
from tsad_keras.export import writer

def stop(*_):
    print("half", flush=True)
    time.sleep(600)

writer.write_warmup = stop  # everything but this is there by now
writer.export_saved_model(load_detector(sys.argv[1]), sys.argv[2])
"""


def test_killed_in_the_middle_no_version_appears(tmp_path, tiny_detector, quickly):
    tiny_detector.save(tmp_path / "model")
    folder = tmp_path / "m"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "model"), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(tsad_keras.__file__).parents[1])},
    )
    assert process.stdout.readline() == b"half\n"
    (half,) = folder.iterdir()
    assert half.name.startswith(".unfinished-") and (half / "saved_model.pb").stat().st_size > 0
    assert list_versions(folder) == []
    # Somebody who exports meanwhile leaves the living one's work alone ...
    long_ago = time.time() - 60
    os.utime(half, (long_ago, long_ago))
    assert export_saved_model(tiny_detector, folder).name == "1"
    assert half.exists()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert list_versions(folder) == [1]
    # ... and removes what the dead one left.
    assert export_saved_model(tiny_detector, folder).name == "2"
    assert names(folder) == ["1", "2"]


def test_folders_that_cannot_be_written_to(tmp_path, default_detector, quickly):
    (tmp_path / "file").write_text("x")
    for folder in (tmp_path / "file", tmp_path / "file" / "m", Path("/proc/nowhere/m")):
        with pytest.raises(InputError, match="cannot write to .*choose a folder you may write to"):
            export_saved_model(default_detector, folder)
    assert (tmp_path / "file").read_text() == "x"


def test_an_unfitted_detector_is_refused(tmp_path):
    with pytest.raises(InputError, match="not fitted yet"):
        export_saved_model(ContrastiveGANDetector(), tmp_path / "m")
    assert names(tmp_path) == []


def test_values_beyond_float32_are_refused_and_lost_digits_are_said(
    tmp_path, untrained, tiny_config, quickly, caplog
):
    with pytest.raises(InputError, match="feature 'f0' has a mean or a scale that float32 cannot"):
        export_saved_model(untrained(**tiny_config, scale=1e-40), tmp_path / "m")
    with pytest.raises(InputError, match="feature 'f0' has a mean or a scale"):
        export_saved_model(untrained(**tiny_config, mean=1e39), tmp_path / "m")
    assert names(tmp_path) == []
    with np.errstate(all="ignore"):
        export_saved_model(untrained(**tiny_config, mean=1e9, scale=1.0), tmp_path / "m")
    assert "f0, f1, f2: the values are so large beside their variation" in caplog.text


# --- the command ----------------------------------------------------------------------------------


def test_the_command_says_where_it_wrote(tmp_path, tiny_detector, quickly, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tiny_detector.save("model")
    words = ["export", "--model-dir", "model", "--export-dir", "saved/m", "--quiet"]
    assert main(words) == 0
    assert capsys.readouterr() == ("exported: saved/m/1\n", "")
    assert main(words) == 0
    assert capsys.readouterr() == ("exported: saved/m/2\n", "")
    assert main(["export", "--model-dir", "model", "--export-dir", "model"]) == 0
    assert names(tmp_path / "model") == ["1", "config.json", "detector.npz"]


@pytest.mark.parametrize(
    ("model", "target", "fragment"),
    [
        ("nowhere", "m", "does not exist, expected the folder of a trained model"),
        ("model", "file", "file is not a folder; choose another folder"),
        ("model", "file/m", "file is not a folder; choose another folder"),
        ("model", "/proc/m", "choose a folder you may write to"),
    ],
)
def test_bad_input_is_one_line(
    tmp_path, tiny_detector, monkeypatch, capsys, model, target, fragment
):
    monkeypatch.chdir(tmp_path)
    tiny_detector.save("model")
    Path("file").write_text("x")
    assert main(["export", "--model-dir", model, "--export-dir", target]) == EXIT_BAD_INPUT
    output, errors = capsys.readouterr()
    assert output == "" and errors.count("\n") == 1
    assert errors.startswith("tsad-keras export: error: ") and fragment in errors
    assert names(tmp_path) == ["file", "model"]


@pytest.mark.parametrize("causal", [False, True])
def test_a_loaded_export_of_all_views_answers_like_its_detector(
    default_exported, default_detector, make_values, causal
):
    loaded, values = load_export(default_exported), make_values(default_detector, 70)
    for series in (values, values[:33]):
        expected = default_detector.explain(series, causal=causal)
        assert difference(loaded.explain(series, causal=causal), expected) < TOLERANCE
        scores = loaded.decision_function(series, causal=causal)
        assert difference(scores, expected.sum(axis=1)) < TOLERANCE
