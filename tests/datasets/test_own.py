"""A person's own folders and files as a dataset."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tsad_keras.datasets import list_entities, load_dataset
from tsad_keras.datasets.own import load_own
from tsad_keras.errors import InputError


@pytest.fixture
def files(tmp_path):
    frame = pd.DataFrame(
        {"time": np.arange(20), "cpu": np.arange(20) % 7, "disk": np.arange(20) % 3}
    )
    frame[:10].to_csv(tmp_path / "train.csv", index=False)
    frame[10:].assign(label=[0, 1] * 5).to_parquet(tmp_path / "test.parquet", index=False)
    return tmp_path


def test_folder_of_folders_in_natural_order(data_dir):
    assert list_entities("own", data_dir) == ["server-2", "server-10"]
    assert list_entities("own", data_dir / "own") == ["server-2", "server-10"]
    dataset = load_dataset("own", "server-2", data_dir)
    assert dataset.feature_names == ("cpu", "memory", "disk")
    assert dataset.test_labels.sum() == 30
    assert dataset.test_timestamps[0] > dataset.train_timestamps[-1]
    assert dataset.notes == ()


def test_an_entity_is_found_without_a_look_at_all_others(data_dir, monkeypatch):
    monkeypatch.setattr("tsad_keras.datasets.own._find_entities", None)
    assert load_dataset("own", "server-2", data_dir).entity == "server-2"


def test_a_name_cannot_lead_out_of_the_folder(data_dir):
    (data_dir / "train.csv").write_text("a\n1\n")
    for name in ("../own/server-2", "server-2/", ".", "..", "server-3"):
        with pytest.raises(InputError, match="unknown entity"):
            load_dataset("own", name, data_dir / "own")


def test_single_folder_is_one_entity_and_labels_come_from_the_test_file(files):
    assert list_entities("own", files) == [files.name]
    dataset = load_dataset("own", None, files)
    assert dataset.entity == files.name
    assert dataset.test_labels.tolist() == [0, 1] * 5
    assert dataset.feature_names == ("cpu", "disk")


def test_without_a_test_file_the_tail_is_the_test_part(files):
    dataset = load_own(files / "train.csv")
    assert (dataset.num_train, dataset.num_test) == (7, 3)
    assert dataset.test_timestamps.tolist() == [7, 8, 9]
    assert dataset.test_labels is None
    assert "last 3 of 10 rows" in dataset.notes[0]
    (files / "labels.csv").write_text("label\n" + "0\n" * 9 + "1\n")
    dataset = load_own(files / "train.csv", labels_file=files / "labels.csv")
    assert dataset.test_labels.tolist() == [0, 0, 1]


def test_notes(files):
    dataset = load_own(files / "test.parquet", files / "train.csv")
    assert any("begins before" in note for note in dataset.notes)
    assert any("5 of 10 training rows are labelled anomalous" in note for note in dataset.notes)


def test_label_column_may_be_in_one_file_only(files):
    test = pd.read_parquet(files / "test.parquet").rename(columns={"label": "fault"})
    test.to_csv(files / "other.csv", index=False)
    dataset = load_own(files / "train.csv", files / "other.csv", label_column="fault")
    assert dataset.test_labels.sum() == 5
    with pytest.raises(InputError, match="no file has a column 'wrong'"):
        load_own(files / "train.csv", files / "other.csv", label_column="wrong")
    with pytest.raises(InputError, match=r"other\.csv has fault, expected the columns of training"):
        load_own(files / "train.csv", files / "other.csv")


def test_refuses(files, tmp_path):
    (files / "labels.csv").write_text("label\n0\n1\n")
    with pytest.raises(InputError, match=r"labels\.csv holds 2 labels, expected 10"):
        load_own(files / "train.csv", files / "test.parquet", files / "labels.csv")
    (files / "labels.csv").write_text("time,label\n" + "".join(f"{t},0\n" for t in range(11, 21)))
    with pytest.raises(InputError, match="data row 1 is for time 11, expected 10"):
        load_own(files / "train.csv", files / "test.parquet", files / "labels.csv")
    (files / "constant.csv").write_text("a,b\n1,2\n1,2\n")
    with pytest.raises(InputError, match=r"constant\.csv: all 2 columns \(a, b\) are constant"):
        load_own(files / "constant.csv", files / "constant.csv")
    (files / "hollow.csv").write_text("a,b\n1,\n2,\n")
    with pytest.raises(InputError, match=r"hollow\.csv: column 'b' holds no value"):
        load_own(files / "hollow.csv", files / "hollow.csv")
    (files / "train.parquet").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds train\.csv and train\.parquet"):
        list_entities("own", files)
    with pytest.raises(InputError, match=r"no train\.csv or train\.parquet in .*nothing"):
        list_entities("own", tmp_path / "nothing")
    with pytest.raises(InputError, match="test_fraction is 1"):
        load_own(files / "train.csv", test_fraction=1)
