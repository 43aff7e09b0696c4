"""The search space: which settings are searched, in which range, and why."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError

_REDRAWN = 3  # settings in which a neighbour differs from the base


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, ends included, evenly or evenly on a log scale."""

    low: float
    high: float
    is_log: bool = False

    def contains(self, value: Any) -> bool:
        return self.low <= value <= self.high

    def draw(self, random: np.random.Generator) -> Any:
        low, high = np.log((self.low, self.high)) if self.is_log else (self.low, self.high)
        value = random.uniform(low, high)
        value = float(np.clip(np.exp(value) if self.is_log else value, self.low, self.high))
        return round(value) if isinstance(self.low, int) else value

    def suggest(self, trial: Any, name: str) -> Any:
        whole = isinstance(self.low, int)
        ask = trial.suggest_int if whole else trial.suggest_float
        return ask(name, self.low, self.high, log=self.is_log)


@dataclasses.dataclass(frozen=True)
class Choice:
    """One of a few values."""

    values: tuple[Any, ...]

    def contains(self, value: Any) -> bool:
        return value in self.values

    def draw(self, random: np.random.Generator) -> Any:
        return self.values[random.integers(len(self.values))]

    def suggest(self, trial: Any, name: str) -> Any:
        return trial.suggest_categorical(name, list(self.values))


# The default of each is in its range, so that it is the first trial. Not searched: `seed` (luck),
# `threshold_method`, `false_alarm_rate` and `max_alarm_rate` (the objective looks at no decision),
# `score_mode` (the fused one was ahead on every development set), what costs time and decides
# little.
SPACE: dict[str, Range | Choice] = {
    # A longer window gives context and costs time; `score_stride` follows as half of it.
    "window_size": Choice((50, 100, 150)),
    # Width and depth: small networks underfit, large ones reconstruct anomalies as well.
    "hidden_dim": Choice((64, 128, 192)),
    "num_layers": Choice((1, 2)),
    "bottleneck_dim": Choice((8, 16, 32, 64)),
    # How hard the puzzle is that the autoencoder learns from.
    "masking_ratio": Range(0.05, 0.4),
    "mean_mask_length": Range(1.0, 10.0, is_log=True),
    # Beside a reconstruction weight of 1; a tenth to ten times the default.
    "contrastive_weight": Range(0.02, 2.0, is_log=True),
    "adversarial_weight": Range(0.001, 0.1, is_log=True),
    # About a factor of three both ways, and up to twice the steps.
    "learning_rate": Range(1e-3, 1e-2, is_log=True),
    "epochs": Choice((5, 10, 20)),
    # What the score is made of; these cost no training time.
    "smoothing_span": Range(1, 40, is_log=True),
    "burst_span": Choice((0, 50, 100, 200)),
    "forecast_order": Choice((0, 1, 3, 10)),
    "mean_shift": Choice((True, False)),
    "memory_size": Choice((500, 1000, 2000)),
    "num_neighbours": Range(1, 15, is_log=True),
}


class SearchSpace:
    """The part of `SPACE` that is searched around a config.

    Args:
        base: Its values are the first trial. What lies outside its range stays as it is.
        fixed: Settings that stay as they are.

    Attributes:
        base: The config.
        domains: Name to domain of what is searched.

    Raises:
        InputError: If nothing is left to search.
    """

    def __init__(self, base: Config, fixed: frozenset[str] = frozenset()) -> None:
        self.base = base
        self.domains = {
            name: domain
            for name, domain in SPACE.items()
            if name not in fixed and domain.contains(getattr(base, name))
        }
        self._stride_share = None
        if "score_stride" not in fixed:
            self._stride_share = base.score_stride / base.window_size
        if not self.domains:
            raise InputError(
                "every setting that could be searched is fixed or outside its range, expected "
                f"some of {', '.join(SPACE)}; leave a flag out"
            )

    @property
    def default_values(self) -> dict[str, Any]:
        """The searched settings of the base."""
        return {name: getattr(self.base, name) for name in self.domains}

    def neighbours(self, count: int) -> list[dict[str, Any]]:
        """The searched settings of the base with a few of them drawn anew; the seed is the base's.

        A default that was chosen with care is rarely beaten by settings that are all others, and
        twenty minutes are few trainings.
        """
        random = np.random.default_rng(self.base.seed)
        names = list(self.domains)
        found = []
        for _ in range(count):
            drawn = random.choice(names, min(_REDRAWN, len(names)), replace=False)
            changes = {str(name): self.domains[str(name)].draw(random) for name in drawn}
            found.append({**self.default_values, **changes})
        return found

    def suggest(self, trial: Any) -> Config:
        """The config that an Optuna trial asks for.

        Raises:
            InputError: If its values contradict each other.
        """
        return self.config({name: d.suggest(trial, name) for name, d in self.domains.items()})

    def config(self, values: dict[str, Any]) -> Config:
        """The config with these values, and what follows from them."""
        follows = {}
        if "window_size" in values and self._stride_share is not None:
            follows["score_stride"] = max(1, round(self._stride_share * values["window_size"]))
        return Config.from_dict({**self.base.to_dict(), **follows, **values})
