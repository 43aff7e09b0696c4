"""From windows to one score for every time step, in pieces of any size and with flat memory.

Rules of the default (centred) mode, in which a time step is seen with what came before and after:

- windows start at every `stride`-th row of the series, and one more lies flush with its end;
- a time step's value is the mean over all windows that cover it;

and of the causal mode, which looks at nothing that came later:

- one window ends at every time step, and its last step gives that step's value;
- before the first row, the first row is repeated.

In the centred mode windows go through the network in batches of a fixed size, counted from the
series' first window: not even the last bit of a result depends on how the series was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from tsad_keras.windows import gather_windows, window_starts

WindowFunction = Callable[[np.ndarray], np.ndarray]


class PointScorer:
    """Runs a window function over a series that arrives in pieces, and averages to points.

    Args:
        window_function: Takes `(batch_size, window_size, num_features)` float32 and returns
            `(batch_size, window_size, num_outputs)`.
        window_size: Time steps a window.
        stride: Time steps between windows, at most `window_size`.
        batch_size: Windows a call of `window_function`; the last batch is filled up.
        wait_for_batch: Whether a window waits until its batch is full. Without, values come
            `window_size` rows after their row, and may differ in the last bit.

    Example:
        >>> scorer = PointScorer(lambda windows: windows, window_size=4, stride=2, batch_size=2)
        >>> series = np.arange(7.0)[:, None]
        >>> parts = [scorer.update(series[:5]), scorer.update(series[5:]), scorer.finish()]
        >>> np.concatenate([part for part in parts if len(part)]).ravel().tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    """

    def __init__(
        self,
        window_function: WindowFunction,
        *,
        window_size: int,
        stride: int,
        batch_size: int,
        wait_for_batch: bool = True,
    ) -> None:
        self._function = window_function
        self._window_size = window_size
        self._stride = stride
        self._batch_size = batch_size
        self._wait = wait_for_batch
        self._rows: np.ndarray | None = None  # rows from self._emitted on
        self._emitted = 0  # time steps whose value is final and handed out
        self._next_start = 0  # first row of the next window on the grid
        self._total = 0  # rows seen
        self._sums: np.ndarray | None = None  # like self._rows
        self._counts = np.zeros(0)

    def update(self, rows: np.ndarray) -> np.ndarray:
        """Takes further rows `(num_rows, num_features)`, returns values that are final by now.

        Returns:
            `(num_final, num_outputs)`; those of the time steps after the ones returned so far.
        """
        rows = np.asarray(rows, np.float32)
        self._rows = rows if self._rows is None else np.concatenate([self._rows, rows])
        self._total += len(rows)
        while (count := self._ready()) > 0:
            starts = self._next_start + self._stride * np.arange(count)
            self._run(starts)
            self._next_start = int(starts[-1]) + self._stride
        # A last window may yet come to lie on the final window_size rows.
        return self._emit(min(self._next_start, self._total - self._window_size))

    def finish(self) -> np.ndarray:
        """Scores what is left, the tail included, and returns the remaining values.

        Raises:
            InputError: If the whole series was shorter than one window.
        """
        starts = window_starts(self._total, self._window_size, self._stride)
        # Not ">= self._next_start": the tail's window may begin before the next one of the grid.
        self._run_filled(starts[starts > self._next_start - self._stride])
        return self._emit(self._total)

    def get_state(self) -> dict[str, np.ndarray]:
        """Everything that was seen and is not final yet, as arrays for `set_state`."""
        counters = [self._emitted, self._next_start, self._total]
        state = {"counters": np.array(counters, np.int64), "counts": self._counts}
        arrays = {"rows": self._rows, "sums": self._sums}
        return state | {name: array for name, array in arrays.items() if array is not None}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another scorer of the same settings was at `get_state`."""
        self._emitted, self._next_start, self._total = map(int, state["counters"])
        self._counts = state["counts"].copy()
        self._rows, self._sums = state.get("rows"), state.get("sums")

    def _ready(self) -> int:
        """How many windows of the grid can be run now, at most a batch."""
        complete = (self._total - self._window_size - self._next_start) // self._stride + 1
        if self._wait and complete < self._batch_size:
            return 0
        return min(complete, self._batch_size)

    def _run_filled(self, starts: np.ndarray) -> None:
        for first in range(0, len(starts), self._batch_size):
            self._run(starts[first : first + self._batch_size])

    def _run(self, starts: np.ndarray) -> None:
        local = starts - self._emitted
        # A full batch, so that shapes never change.
        chosen = np.resize(local, self._batch_size) if self._wait else local
        outputs = self._function(gather_windows(self._rows, chosen, self._window_size))
        self._grow(outputs.shape[-1])
        for start, values in zip(local, outputs, strict=False):
            self._sums[start : start + self._window_size] += values
            self._counts[start : start + self._window_size] += 1

    def _grow(self, num_outputs: int) -> None:
        missing = len(self._rows) - len(self._counts)
        if self._sums is None:
            self._sums = np.zeros((0, num_outputs))
        if missing > 0:
            self._sums = np.concatenate([self._sums, np.zeros((missing, num_outputs))])
            self._counts = np.concatenate([self._counts, np.zeros(missing)])

    def _emit(self, end: int) -> np.ndarray:
        count = max(0, end - self._emitted)
        if self._sums is None:
            return np.zeros((0, 0))
        values = self._sums[:count] / self._counts[:count, None]
        self._rows = self._rows[count:]
        self._sums, self._counts = self._sums[count:], self._counts[count:]
        self._emitted += count
        return values


class CausalPointScorer:
    """Values of every time step from the window that ends there: no delay, nothing looks ahead.

    Costs one window a time step. What it gives depends on the pieces by float32 rounding only.

    Args:
        window_function: As for `PointScorer`, or one that returns the outputs of the windows' last
            time steps only, `(batch_size, num_outputs)`.
        window_size: Time steps a window.
        batch_size: Most windows a call of `window_function`.

    Example:
        >>> scorer = CausalPointScorer(lambda windows: windows, window_size=3, batch_size=2)
        >>> parts = [scorer.update(np.array([[1.0], [2.0]])), scorer.update(np.array([[4.0]]))]
        >>> np.concatenate(parts).ravel().tolist()
        [1.0, 2.0, 4.0]
    """

    def __init__(
        self, window_function: WindowFunction, *, window_size: int, batch_size: int
    ) -> None:
        self._function = window_function
        self._window_size = window_size
        self._batch_size = batch_size
        self.context: np.ndarray | None = None  # the last window_size - 1 rows

    def update(self, rows: np.ndarray) -> np.ndarray:
        """Takes further rows `(num_rows, num_features)`, returns their values.

        Returns:
            `(num_rows, num_outputs)`.
        """
        rows = np.asarray(rows, np.float32)
        if len(rows) == 0:
            return np.zeros((0, 0))
        before = self._window_size - 1
        if self.context is None:
            self.context = np.repeat(rows[:1], before, axis=0)
        joined = np.concatenate([self.context, rows])
        values = []
        for first in range(0, len(rows), self._batch_size):
            starts = np.arange(first, min(first + self._batch_size, len(rows)))
            outputs = self._function(gather_windows(joined, starts, self._window_size))
            last = outputs if outputs.ndim == 2 else outputs[:, -1]
            values.append(last.astype(np.float64))
        self.context = joined[len(joined) - before :].copy()
        return np.concatenate(values)

    def finish(self) -> np.ndarray:
        """Nothing is ever left over: `(0, 0)`."""
        return np.zeros((0, 0))

    def get_state(self) -> dict[str, np.ndarray]:
        """What came before, as arrays for `set_state`."""
        return {} if self.context is None else {"context": self.context}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Goes on where another scorer of the same settings was at `get_state`."""
        self.context = state.get("context")


def score_points(
    series: np.ndarray,
    window_function: WindowFunction,
    *,
    window_size: int,
    stride: int,
    batch_size: int,
) -> np.ndarray:
    """Runs a window function over a whole series.

    Args:
        series: `(num_timesteps, num_features)` scaled values.
        window_function: As for `PointScorer`.
        window_size: Time steps a window.
        stride: Time steps between windows.
        batch_size: Windows a call.

    Returns:
        `(num_timesteps, num_outputs)` means over the windows that cover each time step.
    """
    scorer = PointScorer(
        window_function, window_size=window_size, stride=stride, batch_size=batch_size
    )
    return joined_points(scorer, series)


def joined_points(scorer: PointScorer | CausalPointScorer, series: np.ndarray) -> np.ndarray:
    """The values of all time steps of a series that is there as a whole.

    Args:
        scorer: A fresh scorer.
        series: `(num_timesteps, num_features)` scaled values.

    Returns:
        `(num_timesteps, num_outputs)`.
    """
    joined, first = np.zeros((0, 0)), 0
    for piece in iterate_points(scorer, (series,)):
        if first == 0:  # filled piece by piece: never the pieces and the whole at once
            joined = np.empty((len(series), piece.shape[1]), piece.dtype)
        joined[first : first + len(piece)] = piece
        first += len(piece)
    return joined


def iterate_points(
    scorer: PointScorer | CausalPointScorer, pieces: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """Feeds pieces of one series to a scorer and yields the values as they become final.

    Args:
        scorer: A fresh scorer.
        pieces: Arrays `(num_rows, num_features)` in time order.

    Yields:
        `(num_final, num_outputs)`, never empty.
    """
    step = 4096  # bounds the buffers when a piece is a whole series
    for piece in pieces:
        for first in range(0, len(piece), step):
            final = scorer.update(piece[first : first + step])
            if len(final):
                yield final
    final = scorer.finish()
    if len(final):
        yield final


def combine_scores(
    errors: np.ndarray,
    realism: np.ndarray | None,
    *,
    score_mode: str,
    error_scale: np.ndarray,
    realism_weight: float = 1.0,
) -> np.ndarray:
    """Turns errors and realism into per-feature contributions whose sum is the anomaly score.

    - `reconstruction`: score = mean over features of error / scale;
    - `realism`: score = 1 - D(window), averaged over the covering windows; it belongs to no single
      feature and is shared out in proportion to the features' reconstruction errors;
    - `combined`: reconstruction + realism_weight * realism, the latter shared out likewise.

    Args:
        errors: `(num_timesteps, num_features)` squared reconstruction errors.
        realism: `(num_timesteps,)` values of 1 - D; may be None for `reconstruction`.
        score_mode: One of the three names.
        error_scale: `(num_features,)` what a feature's error is divided by (1 = uncalibrated).
        realism_weight: Weight in `combined`.

    Returns:
        `(num_timesteps, num_features)` non-negative contributions.
    """
    contributions = errors / (error_scale * errors.shape[1])
    if score_mode == "reconstruction":
        return contributions
    if realism is None:
        raise ValueError(f"score_mode {score_mode!r} needs realism scores")
    total = contributions.sum(axis=1, keepdims=True)
    uniform = np.full_like(contributions, 1.0 / errors.shape[1])
    shares = np.divide(contributions, total, out=uniform, where=total > 0)
    unreal = realism[:, None] * shares
    if score_mode == "realism":
        return unreal
    if score_mode == "combined":
        return contributions + realism_weight * unreal
    raise ValueError(f"score_mode is {score_mode!r}, expected reconstruction, realism or combined")
