"""The search itself: an Optuna study in SQLite that goes on where it was, and gives up early."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tsad_keras.config import Config
from tsad_keras.errors import InputError
from tsad_keras.files import atomic_write, write_json
from tsad_keras.tuning.objective import InjectionObjective
from tsad_keras.tuning.space import Choice, SearchSpace

logger = logging.getLogger(__name__)

BEST, TRIALS, STUDY = "best.json", "trials.csv", "study.db"
_NAME = "tsad_keras"  # of the study in its file
_MADE_FOR = "made_for"  # data and settings that a study belongs to
_TRIED = "num_neighbours_tried"
_NUM_NEIGHBOURS = 8  # of the base, tried after it and before the sampler draws
_STARTUP_TRIALS = 4  # complete ones before any is given up


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """What a search has found so far.

    Attributes:
        config: The best one, with the seed of the base.
        value: Its mean VUS-PR over the stages.
        default_value: That of the base, on the same stages.
        trials: A dict for each trial: `trial state value stages seconds` and the searched settings.
    """

    config: Config
    value: float
    default_value: float
    trials: list[dict[str, Any]]

    def count(self, state: str) -> int:
        """How many trials ended as `COMPLETE`, `PRUNED` or `FAIL`."""
        return sum(row["state"] == state for row in self.trials)


def tune(
    series: Sequence[np.ndarray],
    feature_names: Sequence[str],
    base: Config,
    output_dir: str | os.PathLike[str],
    *,
    minutes: float | None = None,
    num_trials: int | None = None,
    num_stages: int = 2,
    study_path: str | os.PathLike[str] | None = None,
    fixed: frozenset[str] = frozenset(),
) -> TuneResult:
    """Searches for settings, without test data and without labels.

    Args:
        series: Arrays `(num_timesteps, num_features)` of normal history.
        feature_names: Names of the columns.
        base: The first trial; by the objective, the best one is so never worse.
        output_dir: Gets `best.json` (which `train --config` reads) and `trials.csv`.
        minutes: Time for all trials of the study together, those of earlier calls included; the
            trial that runs when it is over is still ended.
        num_trials: Trials of the study, likewise.
        num_stages: Trainings of a trial that is not given up, see `InjectionObjective`.
        study_path: The SQLite file; default `study.db` in `output_dir`. A call with the same data
            and settings goes on from there.
        fixed: Settings that are not searched.

    Raises:
        InputError: If the study in the file is of other data or settings, Optuna is not installed,
            the series are too short, or even the base cannot be trained.
    """
    if minutes is None and num_trials is None:
        raise InputError("neither minutes nor num_trials came, expected one; say when to stop")
    if minutes is not None and not 0 <= minutes < float("inf"):
        raise InputError(f"minutes is {minutes}, expected a number of 0 or more")
    if base.entity_scaling:
        raise InputError(
            "entity_scaling is on, expected a search without it, which judges all series by one "
            "calibration; leave it out, and give it to `train` with the settings that were found"
        )
    space = SearchSpace(base, fixed)
    windows = space.domains.get("window_size")
    objective = InjectionObjective(
        series,
        feature_names,
        num_stages=num_stages,
        largest_window=max(windows.values) if isinstance(windows, Choice) else base.window_size,
    )
    folder = Path(output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    search = _Search(Path(study_path or folder / STUDY), objective, space)
    while not search.is_over(minutes, num_trials):
        search.run_trial()
        search.write(folder)
    return search.write(folder)


class _Search:
    """A study with what its trials need.

    Args:
        path: The SQLite file.
        objective: What a configuration is worth.
        space: What is searched.

    Raises:
        InputError: If the file is no study of this objective and space.
    """

    def __init__(self, path: Path, objective: InjectionObjective, space: SearchSpace) -> None:
        self._optuna = _import_optuna()
        self._objective = objective
        self._space = space
        facts = {
            "data": objective.fingerprint(),
            "base": space.base.to_dict(),
            "searched": sorted(space.domains),
        }
        self._study = self._open(path, json.dumps(facts, sort_keys=True))
        self._run_killed_trials_again()
        # Not stored with the study: what it draws follows from the seed and the trials so far.
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=space.base.seed + len(self._study.get_trials(deepcopy=False)),
            n_startup_trials=_NUM_NEIGHBOURS,
        )

    def _open(self, path: Path, facts: str) -> Any:
        self._optuna.logging.set_verbosity(self._optuna.logging.WARNING)  # we say it ourselves
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            study = self._optuna.create_study(
                study_name=_NAME,
                storage=f"sqlite:///{path.absolute()}",
                direction="maximize",
                load_if_exists=True,
                pruner=self._optuna.pruners.MedianPruner(n_startup_trials=_STARTUP_TRIALS),
            )
            written = study.user_attrs.get(_MADE_FOR)
            if written is None:
                study.enqueue_trial(self._space.default_values)
                study.set_user_attr(_MADE_FOR, facts)
        except Exception as error:  # SQLAlchemy, SQLite and Optuna each have their own
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"cannot use {path} as a study ({type(error).__name__}: {reason}); choose another "
                "--study"
            ) from error
        if written not in (None, facts):
            raise InputError(
                f"{path} holds a study of other data or settings, expected one of these; choose "
                "another --output or --study, or delete it to begin anew"
            )
        return study

    def _run_killed_trials_again(self) -> None:
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params or trial.system_attrs.get("fixed_params", {}))

    # --- trials ----------------------------------------------------------------------------------

    def run_trial(self) -> None:
        """Runs the stages of one trial, as long as it is not behind most others."""
        state = self._optuna.trial.TrialState
        self._enqueue_neighbour()
        trial = self._study.ask()
        began = time.monotonic()
        try:
            found = self._run_stages(trial, began)
        except InputError as error:  # contradicting settings, or a training that diverged
            trial.set_user_attr("error", str(error)[:500])
            self._study.tell(trial, state=state.FAIL)
            if trial.params == self._space.default_values:
                raise
            found = f"failed ({error})"
        except BaseException:  # interrupted: the next call runs it again
            with contextlib.suppress(Exception):
                self._study.tell(trial, state=state.FAIL)
                self._study.enqueue_trial(trial.params)
            raise
        logger.info(
            "trial %d: %s in %.0f s; best so far %.4f",
            trial.number,
            found,
            time.monotonic() - began,
            self._study.best_value,
        )

    def _enqueue_neighbour(self) -> None:
        """The next neighbour of the base, if no trial waits to be run (again)."""
        waiting = self._optuna.trial.TrialState.WAITING
        tried = self._study.user_attrs.get(_TRIED, 0)
        if tried == _NUM_NEIGHBOURS or self._study.get_trials(deepcopy=False, states=(waiting,)):
            return
        self._study.set_user_attr(_TRIED, tried + 1)
        self._study.enqueue_trial(self._space.neighbours(_NUM_NEIGHBOURS)[tried])

    def _run_stages(self, trial: Any, began: float) -> str:
        """Returns what came out, in words."""
        values: list[float] = []
        config = self._space.suggest(trial)
        for stage in range(self._objective.num_stages):
            values.append(self._objective(config, stage))
            mean = float(np.mean(values))
            trial.report(mean, stage)
            trial.set_user_attr("seconds", time.monotonic() - began)
            is_last = stage + 1 == self._objective.num_stages
            if not is_last and trial.should_prune():
                self._study.tell(trial, state=self._optuna.trial.TrialState.PRUNED)
                return f"given up at VUS-PR {mean:.4f} after {stage + 1} trainings"
        self._study.tell(trial, mean)
        return f"VUS-PR {mean:.4f}"

    def is_over(self, minutes: float | None, num_trials: int | None) -> bool:
        """Whether the budget is spent; the base is always evaluated."""
        trials = self._counted()
        if not any(trial.params == self._space.default_values for trial in self._completed()):
            return False
        if num_trials is not None and len(trials) >= num_trials:
            return True
        seconds = sum(trial.user_attrs.get("seconds", 0.0) for trial in trials)
        return minutes is not None and seconds >= 60.0 * minutes

    def _counted(self) -> list[Any]:
        """The trials that have ended, but for those that were interrupted."""
        fail = self._optuna.trial.TrialState.FAIL
        trials = self._study.get_trials(deepcopy=False)
        ended = [trial for trial in trials if trial.state.is_finished()]
        return [t for t in ended if t.state != fail or "error" in t.user_attrs]

    def _completed(self) -> list[Any]:
        complete = self._optuna.trial.TrialState.COMPLETE
        return self._study.get_trials(deepcopy=False, states=(complete,))

    # --- results ---------------------------------------------------------------------------------

    def write(self, folder: Path) -> TuneResult:
        """Writes the best configuration and the table of trials, and returns both."""
        completed, defaults = self._completed(), self._space.default_values
        default = next(trial for trial in completed if trial.params == defaults)
        best = max(completed, key=lambda trial: (trial.value, -trial.number))
        result = TuneResult(
            self._space.config(best.params),
            best.value,
            default.value,
            [_row(trial) for trial in self._counted()],
        )
        write_json(folder / BEST, result.config.to_dict())
        names = ["trial", "state", "value", "stages", "seconds", *self._space.domains]
        with atomic_write(folder / TRIALS) as file:
            file.write(",".join(names) + "\n")
            for row in result.trials:
                file.write(",".join(_cell(row.get(name)) for name in names) + "\n")
        return result


def _row(trial: Any) -> dict[str, Any]:
    steps = trial.intermediate_values
    return {
        "trial": trial.number,
        "state": trial.state.name,
        "value": steps[max(steps)] if steps else None,
        "stages": len(steps),
        "seconds": round(trial.user_attrs.get("seconds", 0.0), 1),
        **trial.params,
    }


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _import_optuna() -> Any:
    try:
        import optuna
    except ImportError as error:
        raise InputError(
            "tune needs Optuna, which is not installed; pip install 'tsad-keras[tune]'"
        ) from error
    return optuna
