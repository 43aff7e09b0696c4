"""The checkpoint file: whole or not there, and never trusted when it is not ours."""

import logging

import numpy as np
import pytest

from tsad_keras.training import Checkpoint

ARRAYS = {"network/000/a": np.arange(6.0).reshape(2, 3), "step": np.array(4)}
STATE = {"step": 4, "best_value": "inf", "rows": [{"epoch": 1, "loss": 0.5}]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "checkpoint.npz"
    Checkpoint(path, "settings and data").save(ARRAYS, STATE)
    return path


def test_round_trip(path):
    arrays, state = Checkpoint(path, "settings and data").load()
    assert state == STATE
    assert sorted(arrays) == sorted(ARRAYS)
    for name, value in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], value)
        assert arrays[name].dtype == value.dtype


def test_no_file_is_no_checkpoint(tmp_path):
    assert Checkpoint(tmp_path / "none.npz", "x").load() is None


def test_other_settings_start_anew_and_say_so(path, caplog):
    with caplog.at_level(logging.WARNING):
        assert Checkpoint(path, "other").load() is None
    assert "other settings or other data: starting anew" in caplog.text


def test_any_cut_starts_anew_and_says_so(path, caplog):
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        assert Checkpoint(path, "settings and data").load() is None
    assert "starting anew" in caplog.text


def test_any_changed_byte_starts_anew_or_changes_nothing(path):
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[position] ^= 0xFF
        path.write_bytes(bytes(damaged))
        found = Checkpoint(path, "settings and data").load()
        if found is not None:  # a byte of the container that carries nothing, as a date
            assert found[1] == STATE
            for name, value in ARRAYS.items():
                np.testing.assert_array_equal(found[0][name], value)


def test_other_files_in_its_place_start_anew(path):
    np.save(path.with_suffix(".npy"), np.arange(3))
    foreign = [b"", b"{}", path.with_suffix(".npy").read_bytes()]
    np.savez(path, something=np.arange(3))
    foreign.append(path.read_bytes())
    for content in foreign:
        path.write_bytes(content)
        assert Checkpoint(path, "settings and data").load() is None


def test_delete_twice(path):
    checkpoint = Checkpoint(path, "x")
    checkpoint.delete()
    assert not path.exists()
    checkpoint.delete()
