"""Standardisation, missing values, and that both go on over pieces of a series."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras.alignment import is_aligned
from tsad_keras.errors import InputError
from tsad_keras.scaling import Scaler, fill_missing, flag_weights, last_seen


def with_gaps(num_timesteps=200, num_features=3, share=0.3, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(5, 3, (num_timesteps, num_features))
    values[rng.random(values.shape) < share] = np.nan
    return values


def test_mean_and_scale_are_those_of_all_series_together():
    first, second = with_gaps(seed=0), with_gaps(77, seed=1) * 4
    scaler = Scaler().fit([first, second])
    joined = np.concatenate([first, second])
    np.testing.assert_allclose(scaler.mean_, np.nanmean(joined, axis=0), rtol=1e-12)
    np.testing.assert_allclose(scaler.scale_, np.nanstd(joined, axis=0), rtol=1e-12)


@pytest.mark.parametrize("offset", [1e9, 1e12])
def test_large_counters_keep_their_digits(offset):
    values = offset + np.random.default_rng(0).normal(0, 1, (1000, 1))
    scaled = Scaler().fit([values]).transform(values)
    assert scaled.std() == pytest.approx(1, rel=1e-3)
    assert scaled.mean() == pytest.approx(0, abs=1e-3)


def test_constant_features_get_scale_one_whatever_their_magnitude():
    values = np.tile([0.0, 5.0, 1e12 / 3, 0.1 + 0.2], (9999, 1))
    scaler = Scaler().fit([values])
    assert scaler.scale_.tolist() == [1, 1, 1, 1]
    assert scaler.transform(values + 2.0)[0, 1] == 2.0


def test_small_features_are_not_taken_for_constant():
    values = np.random.default_rng(0).normal(0, 1e-6, (500, 1))
    assert Scaler().fit([values]).transform(values).std() == pytest.approx(1, rel=1e-3)


def test_the_result_lies_where_a_tensor_can_share_it():
    scaler = Scaler().fit([with_gaps()])
    # Any one of them might lie well by chance.
    results = [scaler.transform(with_gaps(length)) for length in range(90, 110)]
    assert all(is_aligned(result) for result in results)


def test_clip_is_exact_and_the_result_is_float32():
    scaler = Scaler(clip=4.0).fit([np.array([[-1.0], [1.0]])])
    scaled = scaler.transform(np.array([[-1e9], [3.9], [4.1]]))
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled.ravel(), np.float32([-4, 3.9, 4]))


def test_fit_looks_at_its_argument_only_and_transform_learns_nothing():
    train = with_gaps()
    scaler = Scaler().fit([train])
    mean, scale = scaler.mean_.copy(), scaler.scale_.copy()
    scaler.transform(with_gaps(seed=9) * 100)
    assert scaler.mean_.tobytes() == mean.tobytes()
    assert scaler.scale_.tobytes() == scale.tobytes()


def test_a_feature_without_any_value_is_an_input_error():
    values = with_gaps()
    values[:, 1] = np.nan
    with pytest.raises(InputError, match="feature number 2 has no value"):
        Scaler().fit([values])
    # One series may lack it, if another has it.
    Scaler().fit([values, with_gaps(seed=2)])


def test_missing_values_are_carried_forward_like_pandas_does():
    values = with_gaps(share=0.6)
    before = values.copy()
    np.testing.assert_array_equal(fill_missing(values), pd.DataFrame(values).ffill().to_numpy())
    np.testing.assert_array_equal(values, before)


def test_values_before_the_first_seen_one_become_the_train_mean():
    scaler = Scaler().fit([np.array([[10.0], [20.0]])])
    scaled = scaler.transform(np.array([[np.nan], [np.nan], [20.0], [np.nan]]))
    assert scaled.ravel().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("cuts", [[1], [50, 51, 52], [3, 3, 100], list(range(1, 200))])
def test_pieces_are_filled_as_the_whole_is(cuts):
    values = with_gaps(share=0.7)
    values[:30, 0] = np.nan
    values[60:120, 1] = np.nan
    scaler = Scaler().fit([values])
    state, parts = None, []
    for piece in np.split(values, cuts):
        parts.append(scaler.transform(piece, state))
        state = last_seen(piece, state)
    assert np.concatenate(parts).tobytes() == scaler.transform(values).tobytes()


def test_last_seen_of_an_empty_piece_is_the_state_before():
    assert np.isnan(last_seen(np.zeros((0, 2)))).all()
    state = np.array([1.0, np.nan])
    np.testing.assert_array_equal(last_seen(np.zeros((0, 2)), state), state)
    np.testing.assert_array_equal(last_seen(np.array([[np.nan, 4.0]]), state), [1, 4])


@pytest.mark.parametrize("rows", [1, 7, 200, 1000])
def test_blocks_of_any_size_give_the_same_bits(monkeypatch, rows):
    train, later = with_gaps(), with_gaps(333, seed=2)
    later[:5] = later[40:90, 1] = np.nan  # a gap over several blocks, and one at the beginning
    whole = Scaler().fit([train, later])
    expected, state = whole.transform(later, last_seen(train)), last_seen(later, last_seen(train))
    monkeypatch.setattr("tsad_keras.scaling._BLOCK_ROWS", rows)
    blocked = Scaler().fit([train, later])
    assert blocked.mean_.tobytes() == whole.mean_.tobytes()
    assert blocked.scale_.tobytes() == whole.scale_.tobytes()
    assert blocked.transform(later, last_seen(train)).tobytes() == expected.tobytes()
    np.testing.assert_array_equal(last_seen(later, last_seen(train)), state)


def test_the_last_seen_value_may_lie_anywhere_or_in_the_state():
    values = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, 4.0]])
    np.testing.assert_array_equal(last_seen(values), [1, np.nan, 4])
    np.testing.assert_array_equal(last_seen(values, np.array([7.0, 8.0, 9.0])), [1, 8, 4])
    np.testing.assert_array_equal(last_seen(values[:0], np.array([7.0, 8.0, 9.0])), [7, 8, 9])


def test_a_weight_is_what_squares_count():
    train = np.random.default_rng(0).normal(0, 4, (500, 2))
    train[100:110] = np.nan
    scaler = Scaler().fit([train[:200], train[200:]], np.array([1.0, 0.25]))
    np.testing.assert_allclose(scaler.deviation_, np.nanstd(train, axis=0))
    np.testing.assert_allclose(scaler.scale_, np.nanstd(train, axis=0) * [1, 2])
    squares = np.square(scaler.transform(train)).mean(axis=0)
    assert squares[1] / squares[0] == pytest.approx(0.25, rel=0.2)
    assert Scaler().fit([train]).weight_.tolist() == [1, 1]


CONSTANT, COUNTER = np.full(100, 5.0), np.arange(100.0)
FLAG, OTHER_FLAG = np.arange(100) % 2 * 7.0 + 3, np.r_[np.zeros(99), np.nan]
OTHER_FLAG[50] = 1.0


@pytest.mark.parametrize("column", [FLAG, OTHER_FLAG, -FLAG, FLAG * 1e-9])
def test_two_values_are_a_flag(column):
    assert flag_weights([[np.column_stack([COUNTER, column])]], 0.1).tolist() == [1, 0.1]
    assert flag_weights([[np.column_stack([COUNTER, column])]], 1.0).tolist() == [1, 1]


@pytest.mark.parametrize(
    "column",
    [
        CONSTANT,  # a first change must show
        np.r_[np.zeros(98), 1.0, 2.0],
        np.r_[np.full(99, 1e12 / 3), np.nextafter(1e12 / 3, np.inf)],  # rounding
    ],
)
def test_what_is_no_flag(column):
    assert flag_weights([[np.column_stack([COUNTER, column])]], 0.1).tolist() == [1, 1]


def test_two_values_may_lie_in_different_series():
    parts = [np.column_stack([np.arange(50.0), np.full(50, value)]) for value in (1.0, 2.0)]
    assert flag_weights([parts], 0.1).tolist() == [1, 0.1]
    third = np.column_stack([np.arange(50.0), np.full(50, 1.5)])
    assert flag_weights([[*parts, third]], 0.1).tolist() == [1, 1]


def test_a_flag_of_some_entities_is_none_where_another_measures():
    def weights(*columns):
        return flag_weights([[np.column_stack([COUNTER, c])] for c in columns], 0.1).tolist()

    assert weights(FLAG, OTHER_FLAG) == [1, 0.1]
    assert weights(FLAG, CONSTANT) == [1, 0.1]
    assert weights(FLAG, COUNTER) == [1, 1]
    assert weights(CONSTANT, CONSTANT) == [1, 1]
