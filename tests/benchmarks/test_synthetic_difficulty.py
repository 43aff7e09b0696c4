"""The measure of the synthetic set's difficulty, on a small one."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "synthetic_difficulty.py"


def test_a_set_with_anomalies_has_a_score_between_always_alarm_and_one():
    spec = importlib.util.spec_from_file_location("synthetic_difficulty", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    value = script.window_f1(0, num_train=600, num_test=1000, num_features=5)
    assert 0.2 < value <= 1.0
    assert value == script.window_f1(0, num_train=600, num_test=1000, num_features=5)
