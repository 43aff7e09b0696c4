"""The model file: whole, checked, without pickle."""

import json

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays
from tsad_keras.persistence import FILE_NAME, read_bundle, write_bundle

ARRAYS = {"mean": np.array([0.1, 1e-300]), "autoencoder/000": np.ones((2, 3), "float32")}
METADATA = {"config": {"seed": 3}, "feature_names": ["a", "µ"], "threshold": 0.1 + 0.2}


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path / "model", ARRAYS, METADATA)
    return tmp_path / "model"


def test_round_trip_is_exact(folder):
    arrays, metadata = read_bundle(folder)
    assert sorted(arrays) == sorted(ARRAYS)
    for name, value in ARRAYS.items():
        assert arrays[name].dtype == value.dtype
        assert arrays[name].tobytes() == value.tobytes()
    assert {name: metadata[name] for name in METADATA} == METADATA
    assert json.loads((folder / "config.json").read_text()) == METADATA["config"]
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", FILE_NAME]


def test_a_missing_folder_is_an_input_error(tmp_path):
    with pytest.raises(
        InputError, match=r"nowhere.*does not exist, expected the folder of a train"
    ):
        read_bundle(tmp_path / "nowhere")


def test_a_cut_file_is_an_input_error(folder):
    path = folder / FILE_NAME
    whole = path.read_bytes()
    for length in range(0, len(whole), 11):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is damaged"):
            read_bundle(folder)


def test_a_changed_byte_is_an_input_error_or_changes_nothing(folder):
    path = folder / FILE_NAME
    whole = path.read_bytes()
    noticed = 0
    for position in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[position] ^= 0xFF
        path.write_bytes(bytes(changed))
        try:
            arrays, metadata = read_bundle(folder)
        except InputError:
            noticed += 1
            continue
        assert {name: metadata[name] for name in METADATA} == METADATA
        for name, value in ARRAYS.items():
            assert arrays[name].tobytes() == value.tobytes()
    assert noticed > len(whole) / 3 / 2


def test_other_files_are_an_input_error(folder):
    path = folder / FILE_NAME
    np.savez(path, a=np.arange(3))
    contents = [path.read_bytes(), b"", b"text"]
    np.save(folder / "a.npy", np.arange(3))
    contents.append((folder / "a.npy").read_bytes())
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(InputError, match="is damaged"):
            read_bundle(folder)


def test_another_format_version_says_which(folder):
    arrays, header = read_arrays(folder / FILE_NAME)
    write_arrays(folder / FILE_NAME, arrays, {**header, "format_version": 99})
    with pytest.raises(InputError, match="has format 99, expected 8"):
        read_bundle(folder)


def test_an_array_that_was_exchanged_is_noticed(folder):
    with np.load(folder / FILE_NAME) as file:
        arrays = dict(file)
    np.savez(folder / FILE_NAME, **{**arrays, "mean": np.array([0.1, 0.0])})
    with pytest.raises(InputError, match="hash does not match"):
        read_bundle(folder)


def test_pickled_objects_are_refused(folder):
    arrays, header = read_arrays(folder / FILE_NAME)
    write_arrays(folder / FILE_NAME, {**arrays, "mean": np.array([{}], dtype=object)}, header)
    with pytest.raises(InputError, match="is damaged.*allow_pickle"):
        read_bundle(folder)


def test_a_header_that_lacks_its_fields_is_an_input_error(folder):
    write_arrays(folder / FILE_NAME, ARRAYS, {})
    with pytest.raises(InputError, match="is damaged.*format_version"):
        read_bundle(folder)


def test_an_unwritable_place_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_bundle(tmp_path / "file", ARRAYS, METADATA)
