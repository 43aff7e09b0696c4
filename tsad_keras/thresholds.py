"""Thresholds without labels, from scores of normal data that the model was not trained on.

Each rule aims at an expected false-alarm rate: the share of time steps of normal data whose score
reaches the threshold. The promise holds as far as later normal data is like the validation part.
"""

from __future__ import annotations

import numpy as np

from tsad_keras.errors import InputError

SHORTEST_CAPPED = 1000  # time steps; of fewer a share says little
OUTSTANDING = 3 * 1.4826  # median absolute deviations: 3 standard ones of normal values
REMEMBERED_SCORES = 10_000  # scores of a running threshold: a week of minutes; 20,000 are no better
_BLOCK = 100  # time steps for which it stays as it is


def percentile_threshold(scores: np.ndarray, false_alarm_rate: float) -> float:
    """The empirical (1 - false_alarm_rate) quantile.

    Args:
        scores: `(num_timesteps,)` scores of normal data.
        false_alarm_rate: Expected share of false alarms, in (0, 0.5].

    Returns:
        The threshold; never beyond the largest score, so rates below 1 / num_timesteps need POT.

    Example:
        >>> percentile_threshold(np.arange(101.0), 0.1)
        90.0
    """
    return float(np.quantile(_checked(scores), 1.0 - false_alarm_rate))


def sigma_threshold(scores: np.ndarray, false_alarm_rate: float) -> float:
    """Mean plus z standard deviations of the log scores, as if these were normally distributed.

    Where they are not, because scores are less skewed than log-normal ones, there are fewer false
    alarms than promised, and more misses.

    Args:
        scores: `(num_timesteps,)` non-negative scores of normal data.
        false_alarm_rate: Expected share of false alarms; z is the normal quantile of 1 minus it.

    Returns:
        The threshold.
    """
    from scipy import stats

    scores = _checked(scores)
    floor = max(float(scores.max()), 1.0) * 1e-12
    logs = np.log(np.maximum(scores, floor))
    deviations = float(stats.norm.isf(false_alarm_rate))
    return float(np.exp(logs.mean() + deviations * logs.std()))


def pot_threshold(
    scores: np.ndarray, false_alarm_rate: float, initial_quantile: float = 0.9
) -> float:
    """Peaks over threshold: fits a generalised Pareto tail and extrapolates it to the wanted rate.

    With t the initial quantile, n scores, n_t of them above t, shape g and scale s of the excesses:
    threshold = t + (s / g) * ((q n / n_t)^(-g) - 1) for the rate q.

    Args:
        scores: `(num_timesteps,)` scores of normal data.
        false_alarm_rate: Expected share of false alarms q.
        initial_quantile: Where the tail begins.

    Returns:
        The threshold. If fewer than 10 scores lie in the tail, or the rate lies inside the body of
        the distribution, that of `percentile_threshold`.

    Reference:
        Siffer et al., "Anomaly detection in streams with extreme value theory", KDD 2017, eq. 1.
    """
    scores = _checked(scores)
    start = float(np.quantile(scores, initial_quantile))
    excesses = scores[scores > start] - start
    if len(excesses) < 10 or false_alarm_rate >= len(excesses) / len(scores):
        return percentile_threshold(scores, false_alarm_rate)
    shape, scale = _fit_pareto(excesses)
    ratio = false_alarm_rate * len(scores) / len(excesses)
    if abs(shape) < 1e-6:
        return start - scale * float(np.log(ratio))
    return start + scale / shape * (ratio ** (-shape) - 1.0)


_RULES = {
    "percentile": percentile_threshold,
    "sigma": sigma_threshold,
    "pot": pot_threshold,
}


def choose_threshold(scores: np.ndarray, threshold_method: str, false_alarm_rate: float) -> float:
    """Applies the named rule; a score at or above the result is an alarm.

    Args:
        scores: `(num_timesteps,)` scores of normal data.
        threshold_method: `"pot"`, `"percentile"` or `"sigma"`.
        false_alarm_rate: Expected share of false alarms.

    Returns:
        The threshold.

    Raises:
        InputError: If the rule is unknown, or the scores are empty or not finite.
    """
    if threshold_method not in _RULES:
        raise InputError(
            f"threshold_method is {threshold_method!r}, expected one of {', '.join(_RULES)}"
        )
    threshold = _RULES[threshold_method](scores, false_alarm_rate)
    # Constant scores would make everything an alarm: "at or above" means above what was seen.
    smallest = float(np.min(scores))
    return float(np.nextafter(smallest, np.inf)) if threshold <= smallest else threshold


def series_threshold(scores: np.ndarray, threshold: float, max_alarm_rate: float) -> float:
    """The threshold for the scores of one whole series: raised where too much would be an alarm.

    A threshold that was chosen on the training part knows nothing of a level that has moved since,
    and then nearly every time step is an alarm. Anomalies are rare, so where more than
    `max_alarm_rate` of a series reach the threshold, the highest scores of that share remain, and
    besides all that stand out of the rest of the series: beyond its median by 3 standard deviations
    as the median absolute deviation estimates them (1.4826 MAD). No labels, but all of the series.

    Args:
        scores: `(num_timesteps,)` of one series.
        threshold: As `choose_threshold` made it; the result is never lower.
        max_alarm_rate: In (0, 1]; 1 = leave the threshold alone.

    Returns:
        The threshold; as it was for fewer than 1,000 time steps, of which a share says little.

    Example:
        >>> series_threshold(np.arange(1000.0), 100.0, 0.1)
        899.1
        >>> series_threshold(np.arange(1000.0), 950.0, 0.1)
        950.0
    """
    if max_alarm_rate >= 1.0 or len(scores) < SHORTEST_CAPPED:
        return threshold
    if np.mean(scores >= threshold) <= max_alarm_rate:
        return threshold
    middle = float(np.median(scores))
    outstanding = middle + OUTSTANDING * float(np.median(np.abs(scores - middle)))
    return max(threshold, min(float(np.quantile(scores, 1.0 - max_alarm_rate)), outstanding))


class RunningThreshold:
    """`series_threshold` for a series that has no end yet: nothing looks ahead.

    The threshold in force for a block of 100 time steps is that of the 10,000 scores before it.
    So a level that moves for good is an alarm until it fills half of these, 5,000 steps at most,
    and from then on only what stands out of it.

    Args:
        threshold: As `choose_threshold` made it.
        max_alarm_rate: As for `series_threshold`.

    Example:
        >>> running = RunningThreshold(1.0, 0.1)
        >>> thresholds = running.update(np.tile(np.arange(9.0, 11.0, 0.1), 60))
        >>> thresholds[[0, 999, 1000]].round(1).tolist()
        [1.0, 1.0, 10.7]
    """

    def __init__(self, threshold: float, max_alarm_rate: float) -> None:
        self._chosen = self.threshold = threshold
        self._max_alarm_rate = max_alarm_rate
        self._scores = np.zeros(0, np.float32)  # those that count, the block that is open included
        self._num_open = 0

    def update(self, scores: np.ndarray) -> np.ndarray:
        """Takes further scores `(num_timesteps,)`, returns the threshold in force at each of them.

        A score that is NaN changes nothing.
        """
        thresholds = np.empty(len(scores))
        first = 0
        while first < len(scores):
            part = scores[first : first + _BLOCK - self._num_open]
            thresholds[first : first + len(part)] = self.threshold
            kept = part[~np.isnan(part)].astype(np.float32)
            self._scores = np.concatenate([self._scores, kept])[-REMEMBERED_SCORES:]
            self._num_open += len(part)
            if self._num_open == _BLOCK:
                self._num_open = 0
                self.threshold = series_threshold(
                    self._scores.astype(np.float64), self._chosen, self._max_alarm_rate
                )
            first += len(part)
        return thresholds

    def get_state(self) -> dict[str, np.ndarray]:
        """What the next thresholds depend on, as arrays for `set_state`."""
        return {
            "scores": self._scores,
            "num_open": np.array(self._num_open),
            "threshold": np.array(self.threshold),
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another one of the same settings was at `get_state`."""
        self._scores = np.asarray(state["scores"], np.float32)
        self._num_open = int(state["num_open"])
        self.threshold = float(state["threshold"])


def normal_level(scores: np.ndarray, threshold: float) -> float:
    """Where normal scores lie: the mean of those below the threshold.

    Args:
        scores: `(num_timesteps,)` scores of normal data.
        threshold: What `choose_threshold` made of them.

    Returns:
        The mean; the threshold itself if no score lies below it.
    """
    scores = _checked(scores)
    below = scores[scores < threshold]
    return float(below.mean()) if len(below) else float(threshold)


def _fit_pareto(excesses: np.ndarray) -> tuple[float, float]:
    """Maximum likelihood shape and scale, the shape kept in [-0.5, 0.5].

    Outside that range the estimate is not regular (below) or has no variance (above); a few hundred
    correlated excesses do not justify such a tail.
    """
    from scipy import optimize, stats  # SciPy takes longer to load than a short file to judge

    mean = float(excesses.mean())

    def negative_log_likelihood(parameters: np.ndarray) -> float:
        shape, scale = parameters[0], mean * np.exp(parameters[1])
        value = -float(np.sum(stats.genpareto.logpdf(excesses, shape, scale=scale)))
        return value if np.isfinite(value) else 1e12

    # The moment estimate is a safe start.
    variance = float(excesses.var())
    moment = 0.5 * (1.0 - mean**2 / variance) if variance > 0 else 0.0
    shape = float(np.clip(moment, -0.4, 0.4))
    start = np.array([shape, np.log(1.0 - shape)])
    result = optimize.minimize(
        negative_log_likelihood, start, method="Nelder-Mead", bounds=[(-0.5, 0.5), (-5.0, 5.0)]
    )
    return float(result.x[0]), float(mean * np.exp(result.x[1]))


def _checked(scores: np.ndarray) -> np.ndarray:
    scores = np.asarray(scores, dtype=np.float64).ravel()
    if len(scores) == 0 or not np.all(np.isfinite(scores)):
        raise InputError(
            f"a threshold needs finite scores of normal data, got {len(scores)} scores with "
            f"{int(np.sum(~np.isfinite(scores)))} not finite"
        )
    return scores
