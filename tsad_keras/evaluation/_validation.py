"""Checks that every metric shares: one place, so that every metric refuses the same input."""

from __future__ import annotations

import numbers
import operator

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.errors import InputError


def check_labels(labels: ArrayLike) -> np.ndarray:
    """Returns the labels as a boolean array.

    Args:
        labels: 0/1 or bool, shape `(num_timesteps,)`; 1 = anomalous. A table column may hold them
            as 0.0 and 1.0.

    Returns:
        Boolean array of shape `(num_timesteps,)`.

    Raises:
        InputError: if empty, not one-dimensional, not numeric, or any value is not 0 or 1.

    Example:
        >>> check_labels([0, 1, 1])
        array([False,  True,  True])
    """
    mend = "pass the 0/1 labels first and the scores or predictions second"
    return _as_binary(labels, "labels", mend)


def check_labels_and_scores(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels as booleans and scores as finite floats of the same length.

    Binary scores are legal scores (a detector may know only two levels), so they pass.

    Args:
        labels: 0/1 or bool, shape `(num_timesteps,)`; 1 = anomalous.
        scores: finite numbers, shape `(num_timesteps,)`; higher = more anomalous.

    Returns:
        Boolean array and float64 array, both of shape `(num_timesteps,)`.

    Raises:
        InputError: if either is unusable or the lengths differ.

    Example:
        >>> check_labels_and_scores([0, 1], [3, 4])
        (array([False,  True]), array([3., 4.]))
    """
    label_flags = check_labels(labels)
    score_values = _as_numbers(scores, "scores").astype(np.float64)
    unusable = np.flatnonzero(~np.isfinite(score_values))
    if unusable.size:
        raise InputError(
            f"scores hold {unusable.size} NaN or infinite values (first at index {unusable[0]}), "
            "expected finite numbers; replace or drop these time steps before the evaluation"
        )
    _check_same_length(label_flags, score_values, "scores")
    return label_flags, score_values


def check_labels_and_predictions(
    labels: ArrayLike, predictions: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and predictions as booleans of the same length.

    Args:
        labels: 0/1 or bool, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1 or bool, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Two boolean arrays of shape `(num_timesteps,)`.

    Raises:
        InputError: if either is unusable (scores in place of predictions are) or lengths differ.

    Example:
        >>> check_labels_and_predictions([0, 1], [1, 1])
        (array([False,  True]), array([ True,  True]))
    """
    label_flags = check_labels(labels)
    mend = "turn scores into predictions first: (scores >= threshold).astype(int)"
    prediction_flags = _as_binary(predictions, "predictions", mend)
    _check_same_length(label_flags, prediction_flags, "predictions")
    return label_flags, prediction_flags


def check_integer(value: int, name: str, minimum: int) -> int:
    """Returns `value` as a plain int of at least `minimum`.

    Args:
        value: an integer; bool and float are refused.
        name: the argument's name, for the message.
        minimum: the smallest legal value.

    Returns:
        The value as `int`.

    Raises:
        InputError: if it is no integer or too small.

    Example:
        >>> check_integer(3, "max_window", minimum=0)
        3
    """
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < minimum:
        raise InputError(
            f"{name} is {value!r}, expected an integer of at least {minimum}; pass such a number"
        )
    return number


def check_percent(value: float, name: str) -> float:
    """Returns `value` as a finite float above 0.

    Raises:
        InputError: if it is anything else.

    Example:
        >>> check_percent(150, "percent")
        150.0
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value) or value <= 0:
        raise InputError(
            f"{name} is {value!r}, expected a number above 0; pass 100 for as many features as "
            "are truly touched"
        )
    return float(value)


def check_ranking(
    feature_labels: ArrayLike, contributions: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Returns which features each segment touches, and its contributions, of the same shape.

    Args:
        feature_labels: 0/1 or bool, `(num_segments, num_features)`.
        contributions: finite numbers, same shape.

    Returns:
        Boolean array and float64 array.

    Raises:
        InputError: if either is unusable, the shapes differ, or a segment touches no feature.

    Example:
        >>> check_ranking([[0, 1]], [[0.5, 2]])
        (array([[False,  True]]), array([[0.5, 2. ]]))
    """
    labels = _as_matrix(feature_labels, "feature_labels", "(num_segments, num_features)")
    values = _as_matrix(contributions, "contributions", "(num_segments, num_features)")
    others = labels[(labels != 0) & (labels != 1)]
    if others.size:
        raise InputError(
            f"feature_labels hold {others.size} values other than 0 and 1 (first: {others[0]:g}), "
            "expected only 0 and 1; pass feature_labels first and contributions second"
        )
    if labels.shape != values.shape:
        raise InputError(
            f"feature_labels have shape {labels.shape} and contributions {values.shape}, expected "
            "the same; take the means of the contributions with segment_contributions"
        )
    empty = np.flatnonzero(labels.sum(axis=1) == 0)
    if empty.size:
        raise InputError(
            f"segment {empty[0]} (from 0) touches no feature, expected at least one; leave it out"
        )
    return labels.astype(bool), values


def check_segments(events: ArrayLike, contributions: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Returns the borders of segments, and contributions that reach over all of them.

    Args:
        events: whole numbers `(num_segments, 2)`, first row and row after the last.
        contributions: finite numbers `(num_timesteps, num_features)`.

    Returns:
        Integer array and float64 array.

    Raises:
        InputError: if either is unusable, or a segment is empty or lies outside.

    Example:
        >>> check_segments([(0, 1)], [[0.5, 2]])
        (array([[0, 1]]), array([[0.5, 2. ]]))
    """
    borders = _as_matrix(events, "events", "(num_segments, 2)")
    values = _as_matrix(contributions, "contributions", "(num_timesteps, num_features)")
    if borders.shape[1] != 2 or np.any(borders != np.round(borders)):
        raise InputError(
            f"events have shape {borders.shape}, expected whole numbers (num_segments, 2): first "
            "row and row after the last; pass what labels_to_events returns"
        )
    start, end = borders.T
    wrong = np.flatnonzero((start < 0) | (start >= end) | (end > len(values)))
    if wrong.size:
        first = wrong[0]
        raise InputError(
            f"segment {first} reaches from row {start[first]:g} to {end[first]:g}, expected at "
            f"least one of the {len(values)} rows of the contributions; check that both belong to "
            "the same series"
        )
    return borders.astype(int), values


def _as_matrix(values: ArrayLike, name: str, shape: str) -> np.ndarray:
    """Returns a non-empty two-dimensional float64 array of finite numbers."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise InputError(
            f"{name} cannot be read as an array ({error}), expected shape {shape}; give all rows "
            "the same length"
        ) from error
    if array.dtype.kind not in "biuf" or array.ndim != 2 or array.size == 0:
        raise InputError(
            f"{name} have dtype {array.dtype} and shape {array.shape}, expected numbers of shape "
            f"{shape}, not empty; pass such an array"
        )
    array = array.astype(np.float64)
    unusable = int(np.sum(~np.isfinite(array)))
    if unusable:
        raise InputError(
            f"{name} hold {unusable} NaN or infinite values, expected finite numbers; replace them"
        )
    return array


def _as_numbers(values: ArrayLike, name: str) -> np.ndarray:
    """Returns a non-empty one-dimensional array of bool, int or float; nothing else passes."""
    try:
        array = np.asarray(values)
    except ValueError as error:  # a ragged list
        raise InputError(
            f"{name} cannot be read as an array ({error}), expected shape (num_timesteps,); "
            "pass one number per time step"
        ) from error
    if array.dtype.kind not in "biuf":
        raise InputError(
            f"{name} have dtype {array.dtype}, expected bool, int or float; "
            "convert them to numbers and remove missing values"
        )
    if array.ndim != 1:
        raise InputError(
            f"{name} have shape {array.shape}, expected (num_timesteps,); "
            "pass one value per time step, e.g. with .ravel() for a single column"
        )
    if array.size == 0:
        raise InputError(f"{name} are empty, expected at least one time step; pass some data")
    return array


def _as_binary(values: ArrayLike, name: str, mend: str) -> np.ndarray:
    """Returns a boolean array, or says which value was neither 0 nor 1."""
    array = _as_numbers(values, name)
    others = np.flatnonzero((array != 0) & (array != 1))
    if others.size:
        raise InputError(
            f"{name} hold {others.size} values other than 0 and 1 "
            f"(first: {array[others[0]].item()!r} at index {others[0]}), expected only 0 and 1; "
            f"{mend}"
        )
    return array.astype(bool)


def _check_same_length(labels: np.ndarray, values: np.ndarray, name: str) -> None:
    if labels.size != values.size:
        raise InputError(
            f"labels have length {labels.size} and {name} length {values.size}, expected equal "
            f"lengths; give one value per time step, from the same rows"
        )
