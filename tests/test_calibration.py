"""What errors are divided by: restless windows, flags, perfect features, rows without windows."""

import numpy as np
import pytest

from tsad_keras.calibration import piece_errors, typical_errors, typical_shifts

ONES = np.ones(2)


def test_the_typical_error_is_the_squared_mean_of_the_windows_rmse():
    errors = np.random.default_rng(0).gamma(2.0, 1.0, (500, 2))
    expected = [np.mean([row[feature] ** 0.5 for row in errors]) ** 2 for feature in (0, 1)]
    np.testing.assert_allclose(typical_errors(errors, ONES), expected)


def test_windows_that_are_alike_have_their_mean():
    np.testing.assert_allclose(typical_errors(np.full((9, 2), 3.0), ONES), [3.0, 3.0])


def test_a_restless_window_counts_less_than_in_a_mean():
    errors = np.ones((100, 2))
    errors[7, 0] = 1e4
    restless, calm = typical_errors(errors, ONES)
    assert calm == pytest.approx(1.0)
    assert restless == pytest.approx((99 + 100) ** 2 / 100**2)  # its mean is 101


def test_flags_have_their_mean_and_outlive_the_division():
    errors = np.zeros((100, 2))
    errors[:, 0] = 1.0
    errors[3, 1] = 50.0  # a flag that changed once
    flag = typical_errors(errors, np.array([1.0, 0.1]))[1]
    assert flag == pytest.approx(0.5 / 0.1)


def test_no_error_does_not_divide_by_nothing():
    errors = np.stack([np.ones(10), np.zeros(10)], axis=1)
    np.testing.assert_allclose(typical_errors(errors, ONES), [1.0, 0.005])
    assert (typical_errors(np.zeros((4, 2)), ONES) > 0).all()


@pytest.mark.parametrize(("rows", "pieces"), [(1, 1), (99, 1), (250, 2), (1000, 10)])
def test_rows_are_cut_in_pieces_of_about_a_window(rows, pieces):
    errors = np.random.default_rng(1).random((rows, 3))
    found = piece_errors(errors)
    assert found.shape == (pieces, 3)
    np.testing.assert_allclose(found[0], errors[: -(-rows // pieces)].mean(axis=0))


def test_shifts_are_divided_by_their_mean_and_that_of_noise():
    shifts = np.random.default_rng(0).gamma(1.0, 1.0, (50, 3)) * np.array([1.0, 1e-6, 0.0])
    found = typical_shifts(shifts, 20, np.array([1.0, 1.0, 0.1]))
    expected = (shifts.sum(axis=0) / 50 + 0.01 / 20) / np.array([1.0, 1.0, 0.1])
    np.testing.assert_allclose(found, expected)


def test_means_of_mere_noise_are_no_shift():
    noise = np.random.default_rng(0).normal(0, 0.1, (4000, 20, 1))  # of the variance 0.01
    quotient = noise.mean(axis=1) ** 2 / typical_shifts(np.zeros((5, 1)), 20, np.ones(1))
    assert quotient.mean() == pytest.approx(1.0, rel=0.1)
