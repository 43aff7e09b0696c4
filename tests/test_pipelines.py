"""Batches of windows: what is in them, and that step n depends on the seed and n alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tsad_keras.alignment import aligned_empty
from tsad_keras.pipelines import training_pipeline, validation_pipeline
from tsad_keras.windows import gather_windows, starts_within_series

PLAIN = {
    "mask_type": "geometric",
    "mask_mode": "separate",
    "masking_ratio": 0.3,
    "mean_mask_length": 3.0,
    "jitter": 0.0,
}
LENGTHS = [40, 25, 60]
WINDOW = 10


def make_joined():
    """Three entities in one array; a value is never 0 and tells its row and feature."""
    rows = np.arange(sum(LENGTHS), dtype=np.float32)
    return np.stack([rows + 1, rows + 1001], axis=1)


STARTS = starts_within_series(LENGTHS, WINDOW, 1)


def batches(first_step=0, seed=7, starts=STARTS, batch_size=4, steps=5, epochs=3, **changed):
    dataset = training_pipeline(
        make_joined(),
        starts,
        window_size=WINDOW,
        batch_size=batch_size,
        steps_per_epoch=steps,
        epochs=epochs,
        seed=seed,
        first_step=first_step,
        **{**PLAIN, **changed},
    )
    return [{name: value.numpy() for name, value in batch.items()} for batch in dataset]


def starts_of(batch):
    return batch["windows"][:, 0, 0].astype(int) - 1


def assert_equal_batches(first, second):
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert sorted(a) == sorted(b)
        for name in a:
            assert a[name].tobytes() == b[name].tobytes()


def test_shapes_types_and_number_of_batches():
    found = batches()
    assert len(found) == 15
    for batch in found:
        assert sorted(batch) == ["mask_a", "mask_b", "view_a", "view_b", "windows"]
        assert {value.shape for value in batch.values()} == {(4, WINDOW, 2)}
        assert {batch[n].dtype for n in ("windows", "view_a", "view_b")} == {np.dtype("float32")}
        assert {batch[name].dtype for name in ("mask_a", "mask_b")} == {np.dtype(bool)}


def test_windows_are_slices_of_the_series_at_allowed_starts():
    for batch in batches():
        starts = starts_of(batch)
        assert set(starts) <= set(STARTS)
        np.testing.assert_array_equal(
            batch["windows"], gather_windows(make_joined(), starts, WINDOW)
        )


def test_windows_never_cross_the_border_of_an_entity_and_the_tails_come_up():
    entity = np.repeat([0, 1, 2], LENGTHS)
    starts = np.concatenate([starts_of(b) for b in batches(steps=60, epochs=1)])
    assert (entity[starts] == entity[starts + WINDOW - 1]).all()
    assert {30, 55, 115} <= set(starts)  # the last window of each entity


def test_hidden_values_are_exactly_zero_and_others_untouched():
    for batch in batches():
        for view, mask in (("view_a", "mask_a"), ("view_b", "mask_b")):
            assert (batch[view][batch[mask]] == 0).all()
            kept = ~batch[mask]
            np.testing.assert_array_equal(batch[view][kept], batch["windows"][kept])


def test_two_views_and_two_steps_are_masked_independently():
    found = batches(batch_size=32, steps=30, masking_ratio=0.5, mask_type="random")
    masks = {name: np.stack([batch[name] for batch in found]) for name in ("mask_a", "mask_b")}
    size = masks["mask_a"].size
    for first, second in (
        (masks["mask_a"], masks["mask_b"]),
        (masks["mask_a"][1:], masks["mask_a"][:-1]),
        (masks["mask_a"][1:], masks["mask_b"][:-1]),
        (masks["mask_a"][:, 1:], masks["mask_a"][:, :-1]),
    ):
        agree = (first == second).mean()
        assert abs(agree - 0.5) < 5 * 0.5 / np.sqrt(0.9 * size)


def test_the_ratio_can_be_forced():
    for batch in batches(masking_ratio=1.0):
        assert batch["mask_a"].all()
        assert not batch["view_b"].any()
    for batch in batches(mask_type="none"):
        np.testing.assert_array_equal(batch["view_a"], batch["windows"])


@pytest.mark.parametrize("starts", [STARTS, STARTS[:3]], ids=["subset", "repetition"])
def test_goes_on_bit_for_bit_from_any_step(starts):
    whole = batches(starts=starts, jitter=0.1)
    for first_step in (0, 1, 5, 12, 15):
        rest = batches(starts=starts, jitter=0.1, first_step=first_step)
        assert_equal_batches(whole[first_step:], rest)


def test_same_seed_same_batches_other_seed_other_batches():
    assert_equal_batches(batches(jitter=0.1), batches(jitter=0.1))
    first, other = batches()[0], batches(seed=8)[0]
    assert (starts_of(first) != starts_of(other)).any()
    assert (first["mask_a"] != other["mask_a"]).any()


def test_an_epoch_holds_a_window_at_most_once_and_epochs_differ():
    found = batches(batch_size=4, steps=20, epochs=8)
    epochs = [np.concatenate([starts_of(b) for b in found[i : i + 20]]) for i in range(0, 160, 20)]
    for starts in epochs:
        assert len(set(starts)) == 80  # of 98 windows
    assert set(epochs[0]) != set(epochs[1])
    assert set(np.concatenate(epochs)) == set(STARTS)


def test_few_windows_are_repeated():
    found = batches(starts=STARTS[:3], batch_size=4, steps=5)
    starts = np.concatenate([starts_of(b) for b in found])
    assert set(starts) == {0, 1, 2}
    assert len(starts) == 60


def test_a_small_draw_from_many_windows_is_even():
    many = np.arange(85)
    starts = np.concatenate(
        [starts_of(b) for b in batches(starts=many, batch_size=4, steps=1, epochs=100)]
    )
    assert abs((starts < 43).sum() - 400 * 43 / 85) < 5 * np.sqrt(400 / 4)
    assert len(set(starts)) > 80


def test_no_two_steps_have_the_same_masks():
    found = batches()  # three epochs
    assert len({batch["mask_a"].tobytes() for batch in found}) == len(found)


def test_jitter_has_its_standard_deviation_and_differs_between_views():
    found = batches(batch_size=32, steps=20, jitter=0.03, mask_type="none")
    noise = {v: np.stack([b[v] - b["windows"] for b in found]) for v in ("view_a", "view_b")}
    for values in noise.values():
        # Values near 1000 are rounded to 6e-5, which the tolerance covers.
        assert values.std() == pytest.approx(0.03, rel=0.03)
        assert abs(values.mean()) < 5 * 0.03 / np.sqrt(values.size) + 1e-5
    correlation = np.corrcoef(noise["view_a"].ravel(), noise["view_b"].ravel())[0, 1]
    assert abs(correlation) < 5 / np.sqrt(noise["view_a"].size)


@pytest.mark.parametrize("first_row", [0, 1])
def test_a_series_that_begins_where_a_tensor_may_is_not_copied(first_row):
    # What is written while the pipeline runs comes out of it, unless it has a copy.
    series = aligned_empty((200, 3))[first_row:]
    series[:] = 1
    dataset = training_pipeline(
        series,
        np.arange(100),
        window_size=WINDOW,
        batch_size=4,
        steps_per_epoch=50,
        epochs=1,
        seed=0,
        **{**PLAIN, "mask_type": "none"},
    )
    found = iter(dataset)
    assert (next(found)["windows"].numpy() == 1).all()
    series[:] = 2
    last = list(found)[-1]["windows"].numpy()
    assert (last == (2 if first_row == 0 else 1)).all()


_PEAK = """
import numpy as np
from tsad_keras.alignment import aligned_empty
from tsad_keras.pipelines import training_pipeline
def memory(name):
    with open("/proc/self/status") as status:
        return int(status.read().split(name)[1].split()[0]) / 1024
def run(series):
    next(iter(training_pipeline(
        series, np.arange(100), window_size=10, batch_size=4, steps_per_epoch=2, epochs=1, seed=0,
        mask_type="none", mask_mode="separate", masking_ratio=0.3, mean_mask_length=3.0,
        jitter=0.0)))
run(aligned_empty((200, 50)))
series = aligned_empty((1_000_000, 50))  # 191 MB
series[:] = 1
before = memory("VmRSS:")
run(series)
print(memory("VmHWM:") - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")
def test_a_running_pipeline_has_no_copy_of_the_series():
    done = subprocess.run(
        [sys.executable, "-c", _PEAK], capture_output=True, text=True, timeout=300, check=True
    )
    assert float(done.stdout) < 50


def validation(seed=7, **changed):
    return validation_pipeline(
        make_joined(), STARTS, window_size=WINDOW, batch_size=16, seed=seed, **{**PLAIN, **changed}
    )


def test_validation_is_the_same_at_every_pass_and_holds_every_window_once():
    dataset = validation(jitter=0.1)
    first = [{name: value.numpy() for name, value in batch.items()} for batch in dataset]
    second = [{name: value.numpy() for name, value in batch.items()} for batch in dataset]
    assert_equal_batches(first, second)
    assert np.concatenate([starts_of(b) for b in first]).tolist() == STARTS.tolist()
    assert len(first[-1]["windows"]) == len(STARTS) % 16
    assert sorted(first[0]) == ["mask_a", "view_a", "windows"]
    for batch in first:
        assert (batch["view_a"][batch["mask_a"]] == 0).all()


def test_validation_masks_are_not_those_of_training():
    trained = batches(starts=STARTS, batch_size=16, steps=1, epochs=1)[0]
    validated = next(iter(validation()))
    assert (validated["mask_a"].numpy() != trained["mask_a"]).any()
    assert (validated["mask_a"].numpy() != trained["mask_b"]).any()
    assert (validated["mask_a"].numpy() != next(iter(validation(seed=8)))["mask_a"].numpy()).any()
