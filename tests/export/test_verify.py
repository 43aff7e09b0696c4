"""`verify-export`: a good export passes everything, each kind of damage is found and named."""

import json
import shutil

import numpy as np
import pytest

from tsad_keras.cli import EXIT_BAD_INPUT, main
from tsad_keras.errors import InputError
from tsad_keras.export import verify
from tsad_keras.export.requests import SIGNATURES, TOLERANCE
from tsad_keras.export.running import run_worker
from tsad_keras.export.tflite import TFLITE_FILE
from tsad_keras.export.verify import CheckResult, verify_export
from tsad_keras.export.warmup import WARMUP_FILE, read_warmup, write_warmup
from tsad_keras.export.writer import hash_files
from tsad_keras.files import read_arrays, write_arrays

STATIC = ["metadata", "files", "signatures", "reference"]
DYNAMIC = ["session mode", *SIGNATURES, "decisions", "wrong requests", "warm-up", "without Keras"]


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the export, to be damaged."""
    return shutil.copytree(exported, tmp_path / "m" / "1")


def edit_metadata(folder, **values):
    path = folder / "assets" / "metadata.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def reseal(folder):
    """Writes the hashes of what lies there now, as a forger would."""
    edit_metadata(folder, files_sha256=hash_files(folder))


def failures(results):
    return {result.name: result.detail for result in results if not result.passed}


def test_a_good_export_passes_everything(exported, tiny_detector):
    results = verify_export(exported.parent, tiny_detector)
    assert failures(results) == {}
    assert [r.name for r in results] == [*STATIC, "same model", *DYNAMIC, "TFLite"]
    details = {result.name: result.detail for result in results}
    for name in SIGNATURES:
        assert details[name].startswith("largest difference ")
    assert "1x20x3, 3x20x3, 5x20x3" in details["score_windows"]
    assert "INVALID_ARGUMENT" in details["wrong requests"]
    assert all("\n" not in result.detail for result in results)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_reference(folder, change):
    arrays, header = read_arrays(folder / "assets" / "reference.npz")
    change(arrays)
    write_arrays(folder / "assets" / "reference.npz", arrays, header)
    reseal(folder)


STATIC_DAMAGES = {
    "variables cut": (
        lambda f: cut(f / "variables" / "variables.data-00000-of-00001"),
        "files",
        "variables.data-00000-of-00001 has been changed since the export",
    ),
    "index cut": (lambda f: cut(f / "variables" / "variables.index"), "metadata", ""),
    "no variables": (lambda f: shutil.rmtree(f / "variables"), "metadata", ""),
    "graph cut": (lambda f: cut(f / "saved_model.pb"), "signatures", "DecodeError"),
    "graph garbage": (lambda f: (f / "saved_model.pb").write_bytes(b"garbage"), "signatures", ""),
    "graph empty, resealed": (
        lambda f: ((f / "saved_model.pb").write_bytes(b""), reseal(f)),
        "signatures",
        "no graph tagged 'serve'",
    ),
    "graph changed": (
        lambda f: (f / "saved_model.pb").open("ab").write(b"\0"),
        "files",
        "saved_model.pb has been changed",
    ),
    "file added": (
        lambda f: (f / "variables" / "more").write_text("x"),
        "files",
        "variables/more is not of this export",
    ),
    "reference cut": (lambda f: cut(f / "assets" / "reference.npz"), "reference", ""),
    "reference gone": (lambda f: (f / "assets" / "reference.npz").unlink(), "files", "missing"),
    "reference short": (
        lambda f: damage_reference(f, lambda arrays: arrays.pop("embedding")),
        "reference",
        "KeyError: 'embedding'",
    ),
    "threshold": (
        lambda f: edit_metadata(f, threshold=0.125),
        "metadata",
        "threshold 0.125, expected ",
    ),
    "names": (
        lambda f: edit_metadata(f, feature_names=["a"]),
        "metadata",
        "1 feature_names, expected 3",
    ),
    "window size": (
        lambda f: edit_metadata(f, window_size=21),
        "metadata",
        "window_size 21 is not",
    ),
    "no JSON": (lambda f: (f / "assets" / "metadata.json").write_text("{"), "metadata", "damaged"),
    "JSON list": (
        lambda f: (f / "assets" / "metadata.json").write_text("[]"),
        "metadata",
        "damaged",
    ),
    "no metadata": (lambda f: (f / "assets" / "metadata.json").unlink(), "metadata", "not exist"),
    "version": (
        lambda f: edit_metadata(f, format_version=9),
        "metadata",
        "has format 9, expected 5",
    ),
}


@pytest.mark.parametrize("name", STATIC_DAMAGES)
def test_damaged_files_are_found_before_anything_is_run(name, copy, monkeypatch):
    monkeypatch.setattr(verify, "run_worker", lambda *_: pytest.fail("something was run"))
    damage, check, fragment = STATIC_DAMAGES[name]
    damage(copy)
    found = failures(verify_export(copy))
    assert check in found, found
    assert fragment in found[check]


def test_another_model_is_found(exported, default_detector):
    found = failures(verify_export(exported, default_detector))
    assert list(found) == ["same model"] and "the model's is" in found["same model"]


def test_forged_files_are_found_by_what_they_answer(copy):
    """Hashes made anew: only running it shows that answers are wrong."""

    def change(arrays):
        arrays["scores_20"] *= 1 + 3e-5
        arrays["batch_scores"][1, -1] += np.float64("nan")
        arrays["embedding"] = arrays["embedding"][:, :-1]
        arrays["causal_scores"] *= 1.001

    damage_reference(copy, change)
    requests = dict(read_warmup(copy / WARMUP_FILE))
    requests["score_series"] = {"series": np.zeros((5, 3), np.float32)}
    write_warmup(copy / WARMUP_FILE, "m", requests)
    (copy / TFLITE_FILE).write_bytes(b"garbage")
    found = failures(verify_export(copy))
    assert sorted(found) == sorted(
        ["score_series", "score_batch", "reconstruct", "warm-up", "without Keras", "TFLite"]
    )
    assert "anomaly_score of (20, 3) is 3e-05 off" in found["score_series"]
    assert "embedding of (1, 20, 3) is inf off" in found["reconstruct"]
    assert "wrong number of time steps" in found["warm-up"]
    assert "the scores of load_export are 0.001 off" in found["without Keras"]


def test_forecast_errors_are_compared_by_their_roots(tmp_path):
    check = verify._Verification(tmp_path, None)
    values, moved = np.float32([48.0, -20.0, 0.5]), np.float32([49.0, -20.3, 0.5])
    rounded = np.nextafter(np.nextafter(moved, np.float32(np.inf)), np.float32(np.inf))
    errors, others = ((one - values) ** 2 + np.float32(0.01) for one in (moved, rounded))
    assert check._difference("squared_error", others, errors) > TOLERANCE
    assert check._difference("forecast_error", others, errors) < TOLERANCE
    assert check._difference("forecast_error", errors * np.float32(1.0001), errors) > TOLERANCE
    assert check._difference("forecast_error", -errors, errors) == np.inf


def test_an_export_that_does_not_load_is_found(copy, monkeypatch):
    def fail(mode, *_):
        raise InputError(f"the process failed: {mode}")

    monkeypatch.setattr(verify, "run_worker", fail)
    results = verify_export(copy)
    assert failures(results) == {"session mode": "the process failed: session"}
    assert [result.name for result in results] == [*STATIC, "session mode"]


def test_a_process_that_fails_is_told_by_its_last_line(tmp_path):
    with pytest.raises(InputError, match="the process failed: .*SavedModel file does not exist"):
        run_worker("session", tmp_path, {}, [])


def test_damaged_warm_ups_are_found(copy):
    check = verify._Verification(copy, None)
    check._requests, check._answers = {}, {}
    (copy / WARMUP_FILE).write_bytes((copy / WARMUP_FILE).read_bytes()[:-7])
    assert "DataLossError" in verify._run("warm-up", check.warmup).detail
    write_warmup(copy / WARMUP_FILE, "m", {"score_series": {"rows": np.zeros((2, 3))}})
    assert "is not given series alone" in verify._run("warm-up", check.warmup).detail
    write_warmup(copy / WARMUP_FILE, "m", {"score_series": {"series": np.zeros((2, 3))}})
    assert "no request for reconstruct" in verify._run("warm-up", check.warmup).detail
    (copy / WARMUP_FILE).unlink()
    assert not verify._run("warm-up", check.warmup).passed


def test_a_folder_without_an_export_is_the_callers_mistake(tmp_path):
    with pytest.raises(InputError, match="holds no exported version"):
        verify_export(tmp_path)


# --- the command ----------------------------------------------------------------------------------


def test_the_command_prints_a_line_a_check_and_says_it_by_its_exit_code(monkeypatch, capsys):
    good, bad = CheckResult("files", True, "4 hashes match"), CheckResult("warm-up", False, "gone")
    monkeypatch.setattr(verify, "verify_export", lambda directory, detector: [good])
    assert main(["verify-export", "m"]) == 0
    assert capsys.readouterr() == ("ok files: 4 hashes match\n", "")
    monkeypatch.setattr(verify, "verify_export", lambda directory, detector: [good, bad])
    with pytest.raises(SystemExit) as stopped:
        main(["verify-export", "m"])
    assert stopped.value.code == 1
    assert capsys.readouterr() == ("ok files: 4 hashes match\nFAILED warm-up: gone\n", "")


@pytest.mark.parametrize(
    ("words", "fragment"),
    [
        (["nowhere"], "nowhere holds no exported version, expected a folder 1, 2 ..."),
        (["m", "--model-dir", "nowhere"], "does not exist, expected the folder of a trained model"),
    ],
)
def test_bad_input_is_one_line(words, fragment, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["verify-export", *words]) == EXIT_BAD_INPUT
    output, errors = capsys.readouterr()
    assert output == "" and errors.count("\n") == 1
    assert errors.startswith("tsad-keras verify-export: error: ") and fragment in errors
