"""Which baselines stand in a report, with which settings."""

from __future__ import annotations

from typing import Any

from tsad_keras.baselines.base import Baseline
from tsad_keras.baselines.floors import AlwaysAlarmBaseline, RandomBaseline
from tsad_keras.baselines.simple import L2NormBaseline, PCAErrorBaseline
from tsad_keras.config import Config


def shared_settings(config: Config) -> dict[str, Any]:
    """What every baseline takes over from the detector's settings, but for the smoothing."""
    return {
        "clip": config.clip,
        "flag_weight": config.flag_weight,
        "validation_fraction": config.validation_fraction,
        "window_size": config.window_size,
        "threshold_method": config.threshold_method,
        "false_alarm_rate": config.false_alarm_rate,
        "max_alarm_rate": config.max_alarm_rate,
    }


def baselines_for(config: Config) -> list[Baseline]:
    """The baselines of a result table: floors first, each raw and causally smoothed.

    Args:
        config: The detector's settings; clip, window, validation part, smoothing and threshold rule
            are taken over, and `seed` for the random scores.

    Returns:
        Untrained baselines. Always-alarm is there once, smoothing leaves a constant as it is.
    """
    settings = shared_settings(config)
    spans = [1] if config.smoothing_span == 1 else [1, config.smoothing_span]
    return [
        *(RandomBaseline(config.seed, smoothing_span=span, **settings) for span in spans),
        AlwaysAlarmBaseline(**settings),
        *(L2NormBaseline(smoothing_span=span, **settings) for span in spans),
        *(PCAErrorBaseline(smoothing_span=span, **settings) for span in spans),
    ]
