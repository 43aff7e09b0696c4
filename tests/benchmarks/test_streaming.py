"""The streaming script runs and reports what it says."""

import json

import pytest


@pytest.mark.slow
def test_prints_a_table_and_one_json_line(load_script, capsys):
    script = load_script("streaming")
    assert script.main(["--num-features", "2", "--rows", "200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    results = json.loads(lines[-1])
    assert results["num_features"] == 2
    for source in ("detector", "export"):
        for way in ("row_by_row", "by_64"):
            median, high = results[source][way]
            assert 0 < median <= high
    assert sum(line.startswith(("| detector", "| export")) for line in lines) == 4
