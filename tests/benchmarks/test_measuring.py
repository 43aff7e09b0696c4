"""What the measuring scripts share: ratios within rounds, processes of their own."""

import pytest


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("measuring")


def test_every_case_runs_in_every_round(script):
    ran = []
    cases = {"a": lambda: ran.append("a"), "b": lambda: ran.append("b")}
    seconds = script.side_by_side(cases, rounds=4, calls=2)
    assert {name: len(times) for name, times in seconds.items()} == {"a": 4, "b": 4}
    assert "".join(ran) == "aaabbb" + "aabb" * 4


def test_the_ratio_is_the_median_of_those_of_the_rounds(script):
    # A disturbed round doubles both: the ratio of the medians would be 2.5.
    assert script.ratio([2.0, 4.0, 6.0], [1.0, 2.0, 2.0]) == 2.0
    with pytest.raises(ValueError, match="shorter"):
        script.ratio([1.0, 2.0], [1.0])


def test_a_fresh_process_reports_its_last_line_and_its_own_peak(script):
    small = script.fresh_process("print('first'); print('last')")
    assert small[0] == "last"
    large = script.fresh_process("rows = bytearray(b'1' * 2**27)")
    assert large[0] == ""
    assert large[1] - small[1] == pytest.approx(256, rel=0.1)  # the literal and its copy


def test_a_failed_process_is_not_a_measurement(script):
    with pytest.raises(RuntimeError, match="boom"):
        script.fresh_process("raise ValueError('boom')")


def test_the_conditions_name_versions(script):
    import numpy as np

    found = script.conditions()
    assert found["numpy"] == np.__version__
    assert found["cores"] >= 1
