"""Affiliation metrics: how near predictions lie to events, against a random prediction.

Time is cut halfway between neighbouring true events: each event owns one zone. Within its zone an
alarmed moment is worth the probability that a moment drawn at random from the zone lies at least as
far from the event (precision), and an anomalous moment the probability that a random moment lies
at least as far from it as the nearest alarm does (recall). Both are averaged over the zones.

Here time step i is the interval [i, i + 1), as in the authors' code, and all integrals are in
closed form: with zone length Z, event length J and distance d, the survival functions are

- precision: `1 - (J + d + min(d, m)) / Z` outside the event and 1 inside, where m is the shorter
  of the event's distances to the two ends of the zone;
- recall: `1 - (d + min(d, m)) / Z`, where m is the moment's distance to the nearer end of the zone.

Reference: Huet, Navarro and Rossi, "Local evaluation of time series anomaly detection algorithms",
KDD 2022.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from tsad_keras.evaluation._validation import check_labels_and_predictions
from tsad_keras.evaluation.events import flags_to_events
from tsad_keras.evaluation.point import harmonic_mean


def affiliation_scores(labels: ArrayLike, predictions: ArrayLike) -> dict[str, float]:
    """Affiliation precision, recall and F1 in one pass.

    Random alarms reach a precision of about .5 (.53 on PSM), and more alarms help the recall:
    read the three together.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        `affiliation_precision_score` (mean over the zones with an alarm),
        `affiliation_recall_score` (mean over all zones, 0 in a zone without an alarm) and
        `affiliation_f1_score` (their harmonic mean), all in [0, 1]. All are 0.0 without any
        anomaly (the authors' code raises) or without any alarm (there the precision is NaN).

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> result = affiliation_scores([0, 0, 0, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0])
        >>> [round(value, 3) for value in result.values()]
        [0.625, 0.75, 0.682]

    Reference:
        Huet, Navarro and Rossi, KDD 2022.
    """
    label_flags, prediction_flags = check_labels_and_predictions(labels, predictions)
    precision = recall = 0.0
    if label_flags.any() and prediction_flags.any():
        pieces, num_zones = _cut_into_zones(label_flags, prediction_flags)
        precision = _mean_precision(pieces, num_zones)
        recall = _mean_recall(pieces, num_zones)
    return {
        "affiliation_precision_score": precision,
        "affiliation_recall_score": recall,
        "affiliation_f1_score": harmonic_mean(precision, recall),
    }


def affiliation_precision_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """How near the alarms lie to their zone's event; see `affiliation_scores`.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly or without any alarm.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> affiliation_precision_score([0, 1, 1, 0], [0, 1, 0, 0])
        1.0

    Reference:
        Huet, Navarro and Rossi, KDD 2022.
    """
    return affiliation_scores(labels, predictions)["affiliation_precision_score"]


def affiliation_recall_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """How near the events lie to an alarm of their zone; see `affiliation_scores`.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly or without any alarm.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> affiliation_recall_score([0, 1, 1, 0], [1, 1, 1, 0])
        1.0

    Reference:
        Huet, Navarro and Rossi, KDD 2022.
    """
    return affiliation_scores(labels, predictions)["affiliation_recall_score"]


def affiliation_f1_score(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of affiliation precision and recall; see `affiliation_scores`.

    Args:
        labels: 0/1, shape `(num_timesteps,)`; 1 = anomalous.
        predictions: 0/1, shape `(num_timesteps,)`; 1 = alarm.

    Returns:
        Value in [0, 1]; 0.0 without any anomaly or without any alarm.

    Raises:
        InputError: if the input is empty, of unequal length, not 1-d or not 0/1.

    Example:
        >>> affiliation_f1_score([0, 1, 1, 0], [0, 1, 1, 0])
        1.0

    Reference:
        Huet, Navarro and Rossi, KDD 2022.
    """
    return affiliation_scores(labels, predictions)["affiliation_f1_score"]


class _Pieces(NamedTuple):
    """Predicted events cut at the zones' borders, in order; each field has shape (num_pieces,)."""

    zone: np.ndarray
    start: np.ndarray
    end: np.ndarray
    zone_start: np.ndarray
    zone_end: np.ndarray
    event_start: np.ndarray  # the true event that owns the zone
    event_end: np.ndarray


def _cut_into_zones(labels: np.ndarray, predictions: np.ndarray) -> tuple[_Pieces, int]:
    events = flags_to_events(labels)
    predicted = flags_to_events(predictions)
    halfway = (events[:-1, 1] + events[1:, 0]) / 2
    borders = np.concatenate(([0.0], halfway, [float(labels.size)]))  # (num_zones + 1,)
    first_zone = np.searchsorted(borders, predicted[:, 0], side="right") - 1
    last_zone = np.searchsorted(borders, predicted[:, 1], side="left") - 1
    num_pieces = last_zone - first_zone + 1
    source = np.repeat(np.arange(len(predicted)), num_pieces)
    # Numbers the pieces of each predicted event 0, 1, ... without a loop.
    offset = np.arange(source.size) - np.repeat(np.cumsum(num_pieces) - num_pieces, num_pieces)
    zone = first_zone[source] + offset
    pieces = _Pieces(
        zone=zone,
        start=np.maximum(predicted[source, 0], borders[zone]),
        end=np.minimum(predicted[source, 1], borders[zone + 1]),
        zone_start=borders[zone],
        zone_end=borders[zone + 1],
        event_start=events[zone, 0],
        event_end=events[zone, 1],
    )
    return pieces, len(events)


def _mean_precision(pieces: _Pieces, num_zones: int) -> float:
    """Mean worth of an alarmed moment in each zone, averaged over the zones that have any."""
    before = _precision_integral(pieces, np.maximum(pieces.event_start - pieces.start, 0))
    before -= _precision_integral(pieces, np.maximum(pieces.event_start - pieces.end, 0))
    after = _precision_integral(pieces, np.maximum(pieces.end - pieces.event_end, 0))
    after -= _precision_integral(pieces, np.maximum(pieces.start - pieces.event_end, 0))
    worth = np.bincount(pieces.zone, before + _overlap(pieces) + after, minlength=num_zones)
    length = np.bincount(pieces.zone, pieces.end - pieces.start, minlength=num_zones)
    alarmed = length > 0
    return float(np.mean(worth[alarmed] / length[alarmed]))


def _precision_integral(pieces: _Pieces, distance: np.ndarray) -> np.ndarray:
    """Integral over d from 0 to `distance` of `1 - (J + d + min(d, m)) / Z`."""
    event_length = pieces.event_end - pieces.event_start
    shorter_side = np.minimum(
        pieces.event_start - pieces.zone_start, pieces.zone_end - pieces.event_end
    )
    capped = np.minimum(distance, shorter_side)
    capped_integral = capped**2 / 2 + shorter_side * (distance - capped)
    spent = event_length * distance + distance**2 / 2 + capped_integral
    return distance - spent / (pieces.zone_end - pieces.zone_start)


def _mean_recall(pieces: _Pieces, num_zones: int) -> float:
    """Mean worth of an anomalous moment in each zone, averaged over all zones."""
    # A piece answers for the moments nearer to it than to its neighbours within the zone.
    reach_start = pieces.zone_start.copy()
    reach_end = pieces.zone_end.copy()
    neighbours = np.flatnonzero(pieces.zone[1:] == pieces.zone[:-1])
    halfway = (pieces.end[neighbours] + pieces.start[neighbours + 1]) / 2
    reach_end[neighbours] = halfway
    reach_start[neighbours + 1] = halfway

    lower = np.maximum(pieces.event_start, reach_start)
    upper = np.maximum(np.minimum(pieces.event_end, pieces.start), lower)  # empty: upper = lower
    span = pieces.start - pieces.zone_start
    zone_length = pieces.zone_end - pieces.zone_start
    before = _recall_integral(pieces.start - lower, span, zone_length)
    before -= _recall_integral(pieces.start - upper, span, zone_length)

    upper = np.minimum(pieces.event_end, reach_end)
    lower = np.minimum(np.maximum(pieces.event_start, pieces.end), upper)
    span = pieces.zone_end - pieces.end
    after = _recall_integral(upper - pieces.end, span, zone_length)
    after -= _recall_integral(lower - pieces.end, span, zone_length)

    worth = before + _overlap(pieces) + after
    per_zone = np.bincount(
        pieces.zone, worth / (pieces.event_end - pieces.event_start), minlength=num_zones
    )
    return float(np.mean(per_zone))


def _recall_integral(distance: np.ndarray, span: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Integral over d from 0 to `distance` of `1 - (d + min(d, span - d)) / length`.

    `span` is the way from the alarm to the zone's end on this side. That end is the one that caps
    d: the other lies beyond the alarm.
    """
    middle = span / 2
    # min(d, span - d) is a tent: it rises up to the middle, then falls to 0.
    rising = np.minimum(distance, middle) ** 2 / 2
    falling = (middle**2 - (span - np.maximum(distance, middle)) ** 2) / 2
    return distance - (distance**2 / 2 + rising + falling) / length


def _overlap(pieces: _Pieces) -> np.ndarray:
    """Length that each piece shares with the event of its zone."""
    shared = np.minimum(pieces.end, pieces.event_end) - np.maximum(pieces.start, pieces.event_start)
    return np.maximum(shared, 0)
