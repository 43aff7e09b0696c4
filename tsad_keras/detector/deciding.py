"""Thresholds and normal levels of a fitted model, from its own validation scores; no labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tsad_keras.detector import fitting
from tsad_keras.inference.scores import SeriesScorer
from tsad_keras.thresholds import choose_threshold, normal_level
from tsad_keras.windows import window_starts


def choose_decisions(scorer: SeriesScorer, validation: Sequence[np.ndarray]) -> None:
    """Sets every attribute that is named in `DECISIONS`, and `expected_false_alarm_rate_`.

    Args:
        scorer: Ready to score, but for these.
        validation: Series as `prepare_rows` makes them, which the networks were not trained on.
    """
    config = scorer.config
    rule = (config.threshold_method, config.false_alarm_rate)
    windows = []
    for values in validation:
        stride = max(1, len(values) // fitting.MAX_CALIBRATION_WINDOWS)
        starts = window_starts(len(values), config.window_size, stride)
        windows.append(scorer._score_starts(values, starts))
    scorer.window_threshold_ = choose_threshold(np.concatenate(windows), *rule)
    scores = joined_scores(scorer, validation, causal=False)
    scorer.threshold_ = choose_threshold(scores, *rule)
    scorer.score_level_ = normal_level(scores, scorer.threshold_)
    # A causal score costs a window a row, so a long validation part is not scored to its end.
    scores = joined_scores(scorer, fitting.shortened(validation), causal=True)
    scorer.causal_threshold_ = choose_threshold(scores, *rule)
    scorer.causal_score_level_ = normal_level(scores, scorer.causal_threshold_)
    scorer.expected_false_alarm_rate_ = config.false_alarm_rate


def joined_scores(
    scorer: SeriesScorer, prepared: Sequence[np.ndarray], *, causal: bool
) -> np.ndarray:
    """Scores `(num_timesteps,)` of prepared series, one after the other."""
    parts = [part for values in prepared for part in scorer._iterate([values], causal, "scores")]
    return np.concatenate(parts)
