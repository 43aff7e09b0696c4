"""Window starts: every row covered, no border crossed; and the cut of the validation part."""

import numpy as np
import pytest

from tsad_keras.errors import InputError
from tsad_keras.windows import (
    gather_from_series,
    gather_windows,
    split_train_validation,
    starts_within_series,
    window_starts,
)


@pytest.mark.parametrize("num_timesteps", [7, 8, 20, 23])
@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_every_row_is_covered_and_only_the_tail_leaves_the_grid(num_timesteps, stride):
    starts = window_starts(num_timesteps, 7, stride)
    covered = np.zeros(num_timesteps, bool)
    for start in starts:
        covered[start : start + 7] = True
    assert covered.all()
    assert starts[0] == 0
    assert starts[-1] == num_timesteps - 7
    assert (np.diff(starts) > 0).all()
    assert (starts[:-1] % stride == 0).all()
    assert len(starts) == len({*range(0, num_timesteps - 6, stride), num_timesteps - 7})


def test_a_series_of_one_window_has_one_start():
    assert window_starts(7, 7, 3).tolist() == [0]


def test_a_series_shorter_than_a_window_is_an_input_error():
    with pytest.raises(InputError, match=r"6 time steps, expected at least window_size \(7\)"):
        window_starts(6, 7, 1)
    with pytest.raises(InputError, match="6 time steps"):
        starts_within_series([20, 6], 7, 1)


@pytest.mark.parametrize("stride", [1, 4, 50])
def test_windows_of_joined_series_never_cross_a_border(stride):
    lengths = [12, 7, 31]
    entity = np.repeat([0, 1, 2], lengths)
    starts = starts_within_series(lengths, 7, stride)
    windows = gather_windows(entity, starts, 7)
    assert (windows == windows[:, :1]).all()
    assert set(windows[:, 0]) == {0, 1, 2}
    # Each series is covered to its last row.
    ends = {int(start) + 7 for start in starts}
    assert {12, 19, 50} <= ends


def test_gathered_windows_are_slices():
    values = np.random.default_rng(0).normal(size=(30, 2))
    windows = gather_windows(values, np.array([0, 23, 5]), 7)
    for window, start in zip(windows, [0, 23, 5], strict=True):
        np.testing.assert_array_equal(window, values[start : start + 7])


def test_each_series_gives_its_tail_and_short_ones_do_what_they_can():
    series = [np.arange(length) for length in (1500, 39, 40, 7)]
    train, validation = split_train_validation(series, 20, 0.1)
    assert [len(part) for part in train] == [1350, 39, 20]  # the last is no window: left out
    assert [len(part) for part in validation] == [150, 0, 20]
    assert validation[0][0] == 1350


def test_series_of_which_none_can_be_cut_are_an_input_error():
    with pytest.raises(InputError, match="39 time steps, expected at least 40"):
        split_train_validation([np.zeros(39), np.zeros(20)], 20, 0.1)


def test_windows_of_several_series_are_those_of_the_joined_array():
    random = np.random.default_rng(0)
    series = [random.normal(size=(length, 2)).astype(np.float32) for length in (9, 4, 30)]
    starts = random.permutation(starts_within_series([9, 4, 30], 4, 3))
    expected = gather_windows(np.concatenate(series), starts, 4)
    found = gather_from_series(series, starts, 4)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)
