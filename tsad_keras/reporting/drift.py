"""How far the test part lies from the training part; no labels take part in the measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tsad_keras.datasets.base import TimeSeriesDataset
from tsad_keras.reporting.tables import Row, percent
from tsad_keras.scaling import Scaler

NUM_WORST = 5
LARGE_SHIFT = 0.5  # train standard deviations, mean over the features; this project's choice
MANY_ALARMS = 0.2  # of all time steps, and
MANY_TIMES = 10  # as often as expected on normal data


def drift_facts(dataset: TimeSeriesDataset, clip: float) -> dict[str, Any]:
    """The distance of each feature's test mean from its train mean, in train standard deviations.

    Args:
        dataset: The data; its labels do not take part, so anomalies move the test means, too.
        clip: A feature counts at most so much, as in the detector's scaler. A feature that is
            constant on train keeps its own unit, as there.

    Returns:
        `mean_shift`, the mean over the features (None if no feature has a test value), and
        `worst_features`, the five with the largest `shift`, each with `feature`, `train_mean` and
        `test_mean`.
    """
    return drift_from(Scaler(clip).fit([dataset.train]), dataset.test, dataset.feature_names)


def drift_from(scaler: Scaler, values: np.ndarray, feature_names: Sequence[str]) -> dict[str, Any]:
    """`drift_facts` of rows whose training part is known by its scaler only.

    Args:
        scaler: Fitted on the training part.
        values: `(num_timesteps, num_features)` raw values, NaN where missing.
        feature_names: Names of the columns.
    """
    known = np.flatnonzero(~np.isnan(values).all(axis=0))
    test_mean = np.full(values.shape[1], np.nan)
    test_mean[known] = np.nanmean(values[:, known], axis=0)
    shift = np.minimum(np.abs(test_mean - scaler.mean_) / scaler.deviation_, scaler.clip)
    worst = known[np.argsort(-shift[known], kind="stable")][:NUM_WORST]
    return {
        "mean_shift": float(shift[known].mean()) if known.size else None,
        "worst_features": [
            {
                "feature": feature_names[index],
                "shift": float(shift[index]),
                "train_mean": float(scaler.mean_[index]),
                "test_mean": float(test_mean[index]),
            }
            for index in worst
        ],
    }


def drift_warnings(drift: dict[str, Any], threshold: dict[str, Any], row: Row) -> list[str]:
    """Plain warnings that normal behaviour has changed since the training; most often none.

    Args:
        drift: As `drift_facts` gives it.
        threshold: Its `value` from the training part, what was `in_effect`, the `reached_rate` of
            the former, and `max_alarm_rate`.
        row: The detector's row. Many alarms are no warning if labels show that most are true.
    """
    warnings = []
    expected, shift = row["expected_false_alarm_rate"], drift["mean_shift"]
    if shift is not None and shift > LARGE_SHIFT:
        warnings.append(
            f"the features' means on test lie on average {shift:.2f} train standard deviations "
            "from those on train: expect more false alarms than the stated "
            f"{percent(expected)} at the threshold chosen without labels."
        )
    if threshold["in_effect"] > threshold["value"]:
        warnings.append(
            f"{percent(threshold['reached_rate'])} of all time steps reach the threshold from the "
            "training part, probably because normal behaviour has changed since: alarms are only "
            f"the highest {percent(threshold['max_alarm_rate'])} and what stands out of the rest "
            "(max_alarm_rate). Train again on rows like these."
        )
        return warnings
    share, false_share = row["alarm_rate"], row["false_alarm_rate"]
    many = share > max(MANY_ALARMS, MANY_TIMES * expected)
    if many and (false_share is None or false_share > MANY_TIMES * expected):
        warnings.append(
            f"{percent(share)} of all time steps are alarms, {share / expected:.0f} times the "
            "share expected on normal data: normal behaviour has probably changed since the "
            "training."
        )
    return warnings
