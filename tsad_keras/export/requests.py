"""Requests to an export, the answers that a reference expects, and how far an answer is off."""

from __future__ import annotations

import dataclasses

import numpy as np

TOLERANCE = 1e-5  # largest difference, relative to the value where that is above 1
# Which input each signature takes, its rank, and its outputs with their ranks.
SIGNATURES: dict[str, tuple[str, int, dict[str, int]]] = {
    "score_windows": ("windows", 3, {"anomaly_score": 2, "is_anomaly": 2}),
    "serving_default": ("windows", 3, {"anomaly_score": 2, "is_anomaly": 2}),
    "score_series": ("series", 2, {"anomaly_score": 1, "is_anomaly": 1, "contribution": 2}),
    "score_batch": ("batch", 3, {"anomaly_score": 2, "is_anomaly": 2}),
    "reconstruct": (
        "windows",
        3,
        {
            **{"reconstruction": 3, "squared_error": 3, "pattern_error": 3, "level_error": 3},
            **{"forecast_error": 3, "shift_error": 3, "realism": 1, "embedding": 2},
        },
    ),
}


@dataclasses.dataclass(frozen=True)
class Request:
    """Values for one signature.

    Attributes:
        signature: Its name.
        values: What goes in, float32.
        expected: Outputs and what they have to be; some or none.
    """

    signature: str
    values: np.ndarray
    expected: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)


def reference_requests(reference: dict[str, np.ndarray]) -> list[Request]:
    """Requests at several lengths and batch sizes, with the detector's answers.

    Args:
        reference: As `make_reference` gives it.

    Raises:
        KeyError: If the reference lacks something.
    """
    series, scores = reference["series"], reference["window_scores"]
    windows = series[: scores.size].reshape(*scores.shape, -1)
    made = {name: reference[name] for name in SIGNATURES["reconstruct"][2]}
    requests = []
    for count in (1, len(windows)):
        expected = {"anomaly_score": scores[:count]}
        for name in ("serving_default", "score_windows"):
            requests.append(Request(name, windows[:count], expected))
        expected = {name: value[:count] for name, value in made.items()}
        requests.append(Request("reconstruct", windows[:count], expected))
    for name, value in reference.items():
        if name.startswith("scores_"):
            expected = {"anomaly_score": value}
            if len(value) == len(series):
                expected["contribution"] = reference["contribution"]
            requests.append(Request("score_series", series[: len(value)], expected))
    expected = {"anomaly_score": reference["quiet_scores"]}
    requests.append(Request("score_series", reference["quiet_series"], expected))
    batch_scores = reference["batch_scores"]
    half = batch_scores.shape[1]
    batch = np.stack([series[:half], series[-half:]])
    for count in (1, 2):
        expected = {"anomaly_score": batch_scores[:count]}
        requests.append(Request("score_batch", batch[:count], expected))
    return requests


def bad_requests(window_size: int, num_features: int) -> list[Request]:
    """Requests that every server has to refuse as INVALID_ARGUMENT."""

    def zeros(*shape: int) -> np.ndarray:
        return np.zeros(shape, np.float32)

    long = 2 * window_size
    bad = [
        Request("score_series", zeros(window_size - 1, num_features)),
        Request("score_series", zeros(0, num_features)),
        Request("score_series", zeros(long, num_features + 1)),
        Request("score_series", np.full_like(zeros(long, num_features), np.inf)),
        Request("score_series", zeros(long)),
        Request("score_batch", zeros(2, window_size - 1, num_features)),
        Request("score_batch", zeros(2, long, num_features + 1)),
    ]
    for name in ("serving_default", "score_windows", "reconstruct"):
        bad += [
            Request(name, zeros(2, window_size - 1, num_features)),
            Request(name, zeros(2, window_size + 1, num_features)),
            Request(name, zeros(2, window_size, num_features + 1)),
        ]
    return bad


def difference(actual: np.ndarray, expected: np.ndarray, floor: float | np.ndarray = 1.0) -> float:
    """The largest difference, relative to `max(floor, |expected|)`; infinite for other shapes.

    Example:
        >>> difference(np.array([2.0, 202.0]), np.array([2.0, 200.0]))
        0.01
    """
    if actual.shape != expected.shape:
        return np.inf
    if actual.size == 0:
        return 0.0
    expected = expected.astype(np.float64)
    relative = np.abs(actual - expected) / np.maximum(floor, np.abs(expected))
    return float(np.max(np.where(np.isnan(relative), np.inf, relative)))
