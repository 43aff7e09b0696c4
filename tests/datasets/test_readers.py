"""One contract for all readers, then what is particular to each published format."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from tsad_keras.datasets import DATASET_NAMES, list_entities, load_dataset
from tsad_keras.errors import InputError

FOLDERS = {"psm": "PSM", "smd": "SMD", "smap": "SMAP_MSL", "msl": "SMAP_MSL", "skab": "SKAB"}
SMALL = {"synthetic": {"num_train": 300, "num_test": 200}}


@pytest.mark.parametrize("name", DATASET_NAMES)
def test_contract(name, data_dir):
    entities = list_entities(name, data_dir)
    assert entities
    for entity in entities:
        dataset = load_dataset(name, entity, data_dir, **SMALL.get(name, {}))
        assert (dataset.name, dataset.entity) == (name, entity)
        assert dataset.train.dtype == dataset.test.dtype == np.float64
        assert dataset.train.shape == (dataset.num_train, dataset.num_features)
        assert dataset.test.shape == (dataset.num_test, dataset.num_features)
        assert len(dataset.feature_names) == dataset.num_features
        assert len(set(dataset.feature_names)) == dataset.num_features
        assert dataset.test_labels.dtype == np.int8
        assert 0 < dataset.anomaly_ratio < 1
        assert not dataset.train.flags.writeable
        for times, part in (
            (dataset.train_timestamps, dataset.train),
            (dataset.test_timestamps, dataset.test),
        ):
            assert times is None or times.shape == (len(part),)
        if dataset.test_segments:
            rebuilt = np.zeros(dataset.num_test, np.int8)
            for segment in dataset.test_segments:
                rebuilt[segment.start : segment.end] = 1
            np.testing.assert_array_equal(rebuilt, dataset.test_labels)
        if dataset.test_feature_labels is not None:
            np.testing.assert_array_equal(
                dataset.test_feature_labels.any(axis=1), dataset.test_labels
            )


@pytest.mark.parametrize("name", DATASET_NAMES)
def test_unknown_entity_lists_the_known_ones(name, data_dir):
    known = list_entities(name, data_dir)
    with pytest.raises(InputError, match="unknown entity '../secret'") as error:
        load_dataset(name, "../secret", data_dir)
    assert known[0] in str(error.value)
    if len(known) > 1:
        with pytest.raises(InputError, match=f"{len(known)} entities and none was named") as error:
            load_dataset(name, None, data_dir)
        assert all(entity in str(error.value) for entity in known)


@pytest.mark.parametrize("name", FOLDERS)
def test_takes_the_folder_itself_and_tells_how_to_get_what_is_missing(name, data_dir, tmp_path):
    folder = data_dir / FOLDERS[name]
    assert list_entities(name, folder) == list_entities(name, data_dir)
    empty = tmp_path / "empty"
    with pytest.raises(InputError) as error:
        list_entities(name, empty)
    message = str(error.value)
    assert str(empty / FOLDERS[name]) in message
    assert f"python -m tsad_keras download {name} --data-dir {empty}" in message
    assert "holds them with --data-dir" in message


def test_unknown_names_and_options(data_dir):
    with pytest.raises(InputError, match="unknown dataset 'smdd'.*smd"):
        load_dataset("smdd")
    with pytest.raises(InputError, match="'psm' has no option 'seed'"):
        load_dataset("psm", data_dir=data_dir, seed=1)


def test_importing_is_quick():
    code = (
        "import sys, tsad_keras.datasets; "
        "assert not {'pandas', 'pyarrow', 'numpy', 'tensorflow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_psm(data_dir):
    dataset = load_dataset("psm", data_dir=data_dir)
    assert dataset.feature_names[0] == "feature_0"
    assert dataset.num_features == 25
    assert np.isnan(dataset.train[3, 3])
    assert np.isnan(dataset.train).sum() == 1
    assert dataset.test_timestamps[0] == 60
    assert dataset.test_labels.sum() == 10
    assert dataset.notes == ()
    note = "features are a stand-in"
    (data_dir / "PSM" / "stand_in.json").write_text(json.dumps({"note": note}))
    assert load_dataset("psm", data_dir=data_dir).notes == (note,)


def test_psm_labels_of_another_length(data_dir):
    path = data_dir / "PSM" / "test_label.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(InputError, match=r"test_label.csv .*59 labels for 60 test rows"):
        load_dataset("psm", data_dir=data_dir)


def test_smd(data_dir):
    assert list_entities("smd", data_dir) == ["machine-1-1", "machine-1-2", "machine-1-10"]
    dataset = load_dataset("smd", "machine-1-2", data_dir)
    first, second = dataset.test_segments
    assert (first.start, first.end, first.features) == (10, 15, (0, 37))
    assert (second.start, second.end, second.features) == (40, 42, (2, 3, 4))
    assert dataset.test_feature_labels[10:15, [0, 37]].all()
    assert dataset.test_feature_labels.sum() == 5 * 2 + 2 * 3


@pytest.mark.parametrize("line", ["10-15", "15-10:1", "10-61:1", "10-15:0", "10-15:39", "a-b:1"])
def test_smd_bad_interpretation_line(data_dir, line):
    (data_dir / "SMD" / "interpretation_label" / "machine-1-1.txt").write_text(f"{line}\n")
    with pytest.raises(InputError, match="line 1"):
        load_dataset("smd", "machine-1-1", data_dir)


def test_smd_without_interpretation_says_so(data_dir):
    (data_dir / "SMD" / "interpretation_label" / "machine-1-1.txt").unlink()
    dataset = load_dataset("smd", "machine-1-1", data_dir)
    assert dataset.test_feature_labels is None
    assert "interpretation_label" in dataset.notes[0]


def test_smd_segments_that_are_no_events_are_named_and_kept(data_dir):
    assert load_dataset("smd", "machine-1-1", data_dir).notes == ()
    path = data_dir / "SMD" / "interpretation_label" / "machine-1-1.txt"
    path.write_text("10-14:1,38\n40-42:3,5,4\n")
    dataset = load_dataset("smd", "machine-1-1", data_dir)
    assert [(segment.start, segment.end) for segment in dataset.test_segments] == [
        (10, 14),
        (40, 42),
    ]
    assert "lists 1 segments" in dataset.notes[0]
    assert "leaves out 1 of the 2 runs" in dataset.notes[0]


def test_smap_sequences_include_their_end(data_dir):
    dataset = load_dataset("smap", "P-1", data_dir)
    assert np.flatnonzero(dataset.test_labels).tolist() == [5, 6, 7, 8, 9, 20, 21, 22]
    assert [segment.kind for segment in dataset.test_segments] == ["contextual", "point"]
    assert np.flatnonzero(load_dataset("smap", "P-10", data_dir).test_labels).tolist() == [0]


def test_smap_several_rows_of_one_channel_all_count(data_dir):
    dataset = load_dataset("smap", "P-2", data_dir)
    assert np.flatnonzero(dataset.test_labels).tolist() == list(range(5, 13))
    assert dataset.notes == ()  # num_values may be one more than the array


def test_msl_end_behind_the_array_is_cut(data_dir):
    assert load_dataset("msl", "C-1", data_dir).test_labels[50:].all()
    assert load_dataset("msl", "C-2", data_dir).test_labels[50:].all()
    assert list_entities("msl", data_dir) == ["C-1", "C-2"]
    assert list_entities("smap", data_dir) == ["P-1", "P-2", "P-10"]


def test_smap_never_evaluates_nor_unpickles(data_dir):
    folder = data_dir / "SMAP_MSL"
    np.save(folder / "test" / "C-1.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"C-1\.npy .*not a plain \.npy array"):
        load_dataset("msl", "C-1", data_dir)
    table = (folder / "labeled_anomalies.csv").read_text()
    (folder / "labeled_anomalies.csv").write_text(table.replace("[[5, 9], [20, 22]]", "print(1)"))
    with pytest.raises(InputError, match="P-1: sequences 'print"):
        load_dataset("smap", "P-1", data_dir)


def test_skab(data_dir):
    assert list_entities("skab", data_dir) == ["valve1/0", "valve1/2", "valve1/10", "other/1"]
    dataset = load_dataset("skab", "valve1/0", data_dir)
    assert (dataset.num_train, dataset.num_test, dataset.num_features) == (400, 60, 8)
    assert dataset.feature_names[-1] == "Volume Flow RateRMS"
    assert np.flatnonzero(dataset.test_labels)[0] == 50
    assert dataset.train_timestamps[0] == np.datetime64("2020-03-09T10:14:33")
    assert "anomaly-free/anomaly-free" in list_entities("skab", data_dir, include_anomaly_free=True)
    assert load_dataset("skab", "anomaly-free/anomaly-free", data_dir).anomaly_ratio == 0


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("psm", "PSM/test.csv"),
        ("smd", "SMD/test/machine-1-1.txt"),
        ("smap", "SMAP_MSL/labeled_anomalies.csv"),
        ("msl", "SMAP_MSL/test/C-1.npy"),
        ("skab", "SKAB/valve1/0.csv"),
    ],
)
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x00\xff\xfe", b"a,b\nx,y\n", None])
def test_damaged_or_missing_files_are_named(name, path, content, data_dir):
    entity = {"smd": "machine-1-1", "smap": "P-1", "msl": "C-1", "skab": "valve1/0"}.get(name)
    file = data_dir / path
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError) as error:
        load_dataset(name, entity, data_dir)
    if content is not None or name != "skab":
        assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_real_smd_segments_are_runs_of_labels(real_data_dir):
    if not (real_data_dir / "SMD").is_dir():
        pytest.skip("no SMD in TSAD_DATA_DIR")
    for entity in list_entities("smd", real_data_dir):
        dataset = load_dataset("smd", entity, real_data_dir)
        edges = np.flatnonzero(np.diff(np.r_[0, dataset.test_labels, 0]))
        runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
        assert [(segment.start, segment.end) for segment in dataset.test_segments] == runs
        assert dataset.num_features == 38


def test_real_msl(real_data_dir):
    if not (real_data_dir / "SMAP_MSL").is_dir():
        pytest.skip("no SMAP_MSL in TSAD_DATA_DIR")
    entities = list_entities("msl", real_data_dir)
    assert len(entities) == 27
    for entity in entities:
        dataset = load_dataset("msl", entity, real_data_dir)
        assert dataset.num_features == 55
        assert 0 < dataset.anomaly_ratio < 0.6
    dataset = load_dataset("msl", "P-15", real_data_dir)
    assert dataset.test_labels.sum() == 1410 - 1390 + 1


def test_real_psm_rows(real_data_dir):
    if not (real_data_dir / "PSM-sample").is_dir():
        pytest.skip("no PSM-sample in TSAD_DATA_DIR")
    dataset = load_dataset("psm", data_dir=real_data_dir / "PSM-sample")
    assert dataset.num_features == 25
    assert dataset.test_timestamps[0] == 132480


def test_real_own_folders(real_data_dir):
    if not (real_data_dir / "own-csv").is_dir():
        pytest.skip("no own-csv in TSAD_DATA_DIR")
    assert list_entities("own", real_data_dir) == [f"server-{i}" for i in range(1, 7)]
    dataset = load_dataset("own", "server-1", real_data_dir)
    assert (dataset.num_train, dataset.num_test, dataset.num_features) == (8640, 4320, 19)
    assert dataset.notes == ()
