"""The search: its space, its study in SQLite, what it writes; trainings are faked."""

import json
import sqlite3

import numpy as np
import pytest

from tsad_keras import Config
from tsad_keras.cli import EXIT_BAD_INPUT, EXIT_INTERRUPTED, main
from tsad_keras.errors import InputError
from tsad_keras.training import TrainingDivergedError
from tsad_keras.tuning import objective, study
from tsad_keras.tuning.objective import InjectionObjective
from tsad_keras.tuning.space import SPACE, SearchSpace

pytest.importorskip("optuna")
NAMES = ("a", "b")


@pytest.fixture(scope="module")
def series():
    """Two series; the second one is too short to hold rows out."""
    random = np.random.default_rng(0)
    return [random.normal(size=(1500, 2)), random.normal(size=(300, 2))]


@pytest.fixture
def calls(monkeypatch):
    """A list of (config, stage) that were asked for; a lower rate is worth more, and 5 epochs."""
    made = []

    def worth(self, config, stage):
        made.append((config, stage))
        return 1.0 / (1.0 + 100 * config.learning_rate) - 0.01 * stage

    monkeypatch.setattr(InjectionObjective, "__call__", worth)
    return made


def search(series, folder, num_trials=6, base=None, **options):
    return study.tune(series, NAMES, base or Config(), folder, num_trials=num_trials, **options)


# --- the space ------------------------------------------------------------------------------------


def test_the_default_lies_in_the_space_and_so_does_its_stride():
    space = SearchSpace(Config())
    assert set(space.domains) == set(SPACE)
    assert space.config(space.default_values) == Config()
    assert space.config({**space.default_values, "window_size": 150}).score_stride == 75


def test_what_is_fixed_or_outside_its_range_is_not_searched():
    base = Config(window_size=60, score_stride=20)
    space = SearchSpace(base, frozenset({"epochs"}))
    assert set(SPACE) - set(space.domains) == {"window_size", "epochs"}
    with pytest.raises(InputError, match="every setting that could be searched is fixed"):
        SearchSpace(base, frozenset(SPACE))


def test_neighbours_change_a_few_settings_within_their_ranges():
    space = SearchSpace(Config())
    neighbours = space.neighbours(30)
    for values in neighbours:
        changed = [name for name in values if values[name] != getattr(Config(), name)]
        assert len(changed) <= 3 and set(values) == set(space.domains)
        assert all(space.domains[name].contains(value) for name, value in values.items())
        space.config(values)  # consistent
    assert len({json.dumps(values) for values in neighbours}) == 30
    assert neighbours == space.neighbours(30)


# --- the study ------------------------------------------------------------------------------------


def test_the_default_comes_first_and_the_best_is_never_worse(series, calls, tmp_path):
    result = search(series, tmp_path)
    assert calls[0] == (Config(), 0) and calls[1] == (Config(), 1)
    assert result.trials[0]["value"] == result.default_value
    assert result.value >= result.default_value
    assert Config.from_json(tmp_path / "best.json") == result.config
    lines = (tmp_path / "trials.csv").read_text().splitlines()
    assert len(lines) == 7 and lines[0].startswith("trial,state,value,stages,seconds,window_size")
    assert lines[1].startswith("0,COMPLETE,")


def test_the_same_call_goes_on_and_ends_at_its_number(series, calls, tmp_path):
    search(series, tmp_path, num_trials=2)
    assert len(search(series, tmp_path, num_trials=5).trials) == 5
    num_calls = len(calls)
    assert len(search(series, tmp_path, num_trials=5).trials) == 5
    assert len(calls) == num_calls


def test_time_of_earlier_calls_counts(series, calls, tmp_path):
    search(series, tmp_path, num_trials=1)
    found = study.tune(series, NAMES, Config(), tmp_path, minutes=0.0)
    assert len(found.trials) == 1
    with pytest.raises(InputError, match="minutes is nan, expected a number of 0 or more"):
        study.tune(series, NAMES, Config(), tmp_path, minutes=float("nan"))
    with pytest.raises(InputError, match="neither minutes nor num_trials"):
        study.tune(series, NAMES, Config(), tmp_path)


def test_most_trials_that_are_behind_are_given_up_after_one_training(series, calls, tmp_path):
    result = search(series, tmp_path, num_trials=14)
    pruned = [row for row in result.trials if row["state"] == "PRUNED"]
    assert pruned and all(row["stages"] == 1 for row in pruned)
    assert len(calls) == 2 * 14 - len(pruned)
    assert max(row["value"] for row in pruned) < result.value


@pytest.mark.parametrize("number", [0, 1])  # the default itself, or a later trial
def test_an_interrupted_trial_runs_again(number, series, calls, tmp_path, monkeypatch):
    worth = InjectionObjective.__call__

    def interrupted(self, config, stage):
        if len(calls) == 2 * number + 1:
            calls.append((config, stage))
            raise KeyboardInterrupt
        return worth(self, config, stage)

    monkeypatch.setattr(InjectionObjective, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(series, tmp_path)
    assert (tmp_path / "best.json").is_file() == (number == 1)
    assert len(search(series, tmp_path, num_trials=number + 2).trials) == number + 2
    again = 2 * number + 2
    assert [config for config, _ in calls[again - 2 : again + 2]] == [calls[again][0]] * 4


def test_a_killed_trial_runs_again(series, calls, tmp_path):
    import optuna

    search(series, tmp_path, num_trials=1)
    path = f"sqlite:///{tmp_path / 'study.db'}"
    killed = optuna.load_study(study_name="tsad_keras", storage=path).ask()
    values = {"learning_rate": killed.suggest_float("learning_rate", 1e-3, 1e-2, log=True)}
    assert values["learning_rate"] != Config().learning_rate
    assert len(search(series, tmp_path, num_trials=2).trials) == 2
    assert calls[2][0].learning_rate == values["learning_rate"]


def test_a_diverged_trial_is_noted_and_a_diverged_default_ends_it(
    series, calls, tmp_path, monkeypatch
):
    worth = InjectionObjective.__call__

    def diverging(self, config, stage):
        if config != Config():
            raise TrainingDivergedError("a loss is not finite", 0)
        return worth(self, config, stage)

    monkeypatch.setattr(InjectionObjective, "__call__", diverging)
    result = search(series, tmp_path, num_trials=3)
    assert [row["state"] for row in result.trials] == ["COMPLETE", "FAIL", "FAIL"]
    assert result.config == Config()
    with pytest.raises(TrainingDivergedError):
        search(series, tmp_path / "other", base=Config(seed=7))


def test_a_study_of_other_data_or_settings_is_refused(series, calls, tmp_path):
    search(series, tmp_path, num_trials=1)
    for other, base in (([series[0] + 1], None), (series, Config(seed=1))):
        with pytest.raises(InputError, match="holds a study of other data or settings"):
            search(other, tmp_path, base=base)
    (tmp_path / "broken.db").write_text("this is no database, whatever its name says")
    with pytest.raises(InputError, match="cannot use .*broken.db as a study"):
        search(series, tmp_path, study_path=tmp_path / "broken.db")


def test_nothing_in_the_study_is_pickled(series, calls, tmp_path):
    search(series, tmp_path, num_trials=6)
    with sqlite3.connect(tmp_path / "study.db") as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master")]
        for table in tables:
            if table.startswith(("ix_", "sqlite_")):
                continue
            for row in database.execute(f"select * from {table}"):
                assert not any(isinstance(cell, bytes) for cell in row), table


# --- the objective --------------------------------------------------------------------------------


def test_the_objective_trains_on_the_head_and_judges_on_the_tail(series, monkeypatch):
    seen = {}

    class Detector:
        @classmethod
        def from_config(cls, config):
            seen["seed"] = config.seed
            return cls()

        def fit(self, X, **options):
            seen["fit"] = [values.copy() for values in X]

        def decision_function(self, X):
            return np.concatenate([np.abs(values).max(axis=1) for values in X])

    monkeypatch.setattr(objective, "ContrastiveGANDetector", Detector)
    made = InjectionObjective(series, NAMES, num_stages=2, largest_window=100)
    values = [made(Config(seed=4), stage) for stage in (0, 1)]
    assert all(0 < value < 1 for value in values) and values[0] != values[1]
    assert seen["seed"] == 5
    head = seen["fit"][0]
    assert np.array_equal(head, series[0][: len(head)])
    assert made.num_held_out == len(series[0]) - len(head) == 667 + 83
    assert np.array_equal(seen["fit"][1], series[1])  # too short: all of it is trained on
    with pytest.raises(InputError, match="has 300 time steps, expected at least 400"):
        InjectionObjective(series[1:], NAMES, num_stages=1, largest_window=100)


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def words(tmp_path, series):
    np.savetxt(tmp_path / "n.csv", series[0], delimiter=",", header="a,b", comments="")
    return ["tune", "--train-file", str(tmp_path / "n.csv"), "--output", str(tmp_path / "o")]


def test_the_command_writes_what_train_reads(words, calls, tmp_path, capsys):
    assert main([*words, "--trials", "3", "--epochs", "7", "--quiet"]) == 0
    output = capsys.readouterr().out
    assert "3 trials: " in output and "VUS-PR of anomalies injected" in output
    best = json.loads((tmp_path / "o" / "best.json").read_text())
    assert best["epochs"] == 7 and {config.epochs for config, _ in calls} == {7}
    assert Config.from_dict(best) == Config.from_json(tmp_path / "o" / "best.json")
    assert main([*words, "--trials", "3", "--epochs", "8"]) == EXIT_BAD_INPUT
    assert "study of other data or settings" in capsys.readouterr().err


def test_an_interruption_says_how_to_go_on(words, monkeypatch, capsys):
    def interrupted(self, config, stage):
        raise KeyboardInterrupt

    monkeypatch.setattr(InjectionObjective, "__call__", interrupted)
    assert main([*words, "--trials", "3"]) == EXIT_INTERRUPTED
    assert "the same command goes on with the study" in capsys.readouterr().err


def test_without_optuna_one_line_says_what_to_install(words, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    assert main([*words, "--trials", "1"]) == EXIT_BAD_INPUT
    assert "pip install 'tsad-keras[tune]'" in capsys.readouterr().err
