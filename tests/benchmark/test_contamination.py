"""Contaminated training series: as much as asked for, from where it may come, the same again."""

import dataclasses

import numpy as np
import pytest

from tsad_keras.benchmark.contamination import (
    CLEAN,
    KINDS,
    ContaminationTask,
    contaminate,
    run_task,
    split_test,
)
from tsad_keras.benchmark.worker import run_seed
from tsad_keras.datasets import load_dataset
from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.errors import InputError

NAMES = ("a", "b", "c")


def make_dataset(labels, num_train=1000, seed=0):
    random = np.random.default_rng(seed)
    labels = np.asarray(labels)
    train, test = (random.normal(size=(n, 3)) for n in (num_train, len(labels)))
    train[:, 2] = 7.0  # SMD has such features
    test += 100 + np.arange(len(labels))[:, None]  # every test row can be told from the others
    return TimeSeriesDataset("own", "a", train, test, labels, NAMES)


def make_labels(num_test, *events):
    labels = np.zeros(num_test, int)
    for start, end in events:
        labels[start:end] = 1
    return labels


@pytest.fixture(scope="module")
def dataset():
    return make_dataset(make_labels(400, (20, 30), (100, 103), (150, 171), (300, 320)))


@pytest.fixture(scope="module")
def halves(dataset):
    return split_test(dataset)


@pytest.mark.parametrize(
    ("event", "cut"), [((300, 301), 200), ((190, 230), 189), ((150, 205), 205), ((200, 399), 199)]
)
def test_the_cut_is_at_the_normal_row_nearest_to_the_middle(event, cut):
    labels = make_labels(400, (10, 20), event, (399, 400))
    made = split_test(make_dataset(labels))
    assert made.dataset.num_test == 400 - cut
    assert made.dataset.test_labels[0] == 0
    np.testing.assert_array_equal(made.dataset.test_labels, labels[cut:])
    assert sum(map(len, made.segments)) == labels[:cut].sum()


@pytest.mark.parametrize("events", [[(10, 20)], [(300, 310)], []])
def test_a_half_without_anomalies_is_refused(events):
    with pytest.raises(InputError, match="own a has .* expected some in both"):
        split_test(make_dataset(make_labels(400, *events)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rate", [0.001, 0.01, 0.05, 0.1, 0.333, 0.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_rate_is_met_to_the_row_and_other_rows_stay(halves, kind, rate, seed):
    made = contaminate(halves, kind, rate, seed)
    assert made.facts["num_replaced"] == made.replaced.sum() == round(rate * 1000)
    train, clean = made.dataset.train, halves.dataset.train
    np.testing.assert_array_equal(train[~made.replaced], clean[~made.replaced])
    if rate > 0.01:  # the first rows of a spike are those before it
        assert (train != clean).any(axis=1)[made.replaced].mean() > 0.9
    if kind == "synthetic":
        np.testing.assert_array_equal(train[:, 2], 7.0)


def test_real_rows_are_those_of_the_first_half_s_anomalies(halves, dataset):
    made = contaminate(halves, "real", 0.1, seed=3)
    allowed = dataset.test[:200][dataset.test_labels[:200] == 1]
    rows = made.dataset.train[made.replaced]
    assert {tuple(row) for row in rows} <= {tuple(row) for row in allowed}
    assert made.num_distinct == 3  # 34 rows in all for 100: drawn repeatedly
    few = contaminate(halves, "real", 0.003, seed=3)
    assert few.num_distinct == 1


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_comes_from_the_second_half(halves, dataset, kind):
    test, labels = dataset.test.copy(), dataset.test_labels.copy()
    test[200:] += 5
    labels[201:399] = 1 - labels[201:399]
    other = split_test(dataclasses.replace(dataset, test=test, test_labels=labels))
    made, again = (contaminate(one, kind, 0.1, seed=0) for one in (halves, other))
    np.testing.assert_array_equal(made.dataset.train, again.dataset.train)
    assert (made.dataset.test != again.dataset.test).all()
    np.testing.assert_array_equal(made.dataset.test, dataset.test[200:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_gives_the_same_rows_and_another_seed_others(halves, kind):
    first, second, other = (contaminate(halves, kind, 0.05, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(first.dataset.train, second.dataset.train)
    assert (first.replaced != other.replaced).any()


@pytest.mark.parametrize("kind", KINDS)
def test_no_part_of_the_training_series_is_spared(kind):
    labels = make_labels(400, (20, 90), (300, 320))
    halves = split_test(make_dataset(labels, num_train=20_000))
    found = [contaminate(halves, kind, 0.1, seed).replaced for seed in range(60)]
    shares = np.mean(found, axis=0).reshape(10, -1).mean(axis=1)  # the last is the validation tail
    assert shares.min() > 0.08
    assert shares.max() < 0.12


def test_a_higher_rate_has_the_anomalies_of_a_lower_one(halves):
    low, high = (contaminate(halves, "real", rate, seed=2) for rate in (0.02, 0.05))
    whole = {tuple(row) for row in high.dataset.train[high.replaced]}
    assert {tuple(row) for row in low.dataset.train[low.replaced]} <= whole


def test_so_it_has_of_the_synthetic_ones(monkeypatch):
    halves = split_test(make_dataset(make_labels(400, (20, 30), (300, 320)), num_train=5000))
    drawn = []
    monkeypatch.setattr(
        "tsad_keras.benchmark.contamination.add_anomaly",
        lambda values, segment, *_: drawn[-1].append(
            (segment.end - segment.start, segment.kind, segment.features)
        ),
    )
    for rate in (0.05, 0.1):
        drawn.append([])
        contaminate(halves, "synthetic", rate, seed=1)
    low, high = drawn
    assert len(low) < len(high)
    assert low[:-1] == high[: len(low) - 1]


def test_rate_0_is_the_clean_series(halves):
    made = contaminate(halves, CLEAN, 0, seed=9)
    assert made.dataset is halves.dataset
    assert made.facts == {"num_replaced": 0, "num_distinct": 0}


@pytest.mark.parametrize(
    ("kind", "rate"), [("real", 0.6), ("real", -0.1), ("real", 0.0), (CLEAN, 0.1), ("other", 0.1)]
)
def test_refuses(halves, kind, rate):
    with pytest.raises(InputError, match=r"contamination.*expected"):
        contaminate(halves, kind, rate, seed=0)


def test_a_task_s_rows_are_those_of_the_contaminated_data(settings, sizes):
    task = ContaminationTask(
        dataset="synthetic",
        entity="synthetic",
        data_dir="data",
        data_options=sizes,
        model="l2-norm",
        methods=("l2-norm",),
        overrides=settings,
        points=((CLEAN, 0.0, 0), ("real", 0.1, 0), ("real", 0.1, 1)),
    )
    _, first, second = run_task(task)
    assert first[0]["data_sha256"] != second[0]["data_sha256"]
    assert [row["seed"] for row in second] == [1] * len(second)
    made = contaminate(split_test(load_dataset("synthetic", **sizes)), "real", 0.1, seed=1)
    (expected, *_) = run_seed(task, made.dataset, seed=1)
    assert second[0]["vus_pr_score"] == expected["vus_pr_score"]
    assert {name: second[0][name] for name in ("kind", "rate", "num_replaced")} == {
        "kind": "real",
        "rate": 0.1,
        "num_replaced": 60,
    }
