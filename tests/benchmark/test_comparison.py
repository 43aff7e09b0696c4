"""benchmark.md and its figures from made-up rows: every table, every warning, any gap."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from tsad_keras.benchmark.comparison import write_comparison
from tsad_keras.benchmark.registry import methods
from tsad_keras.errors import InputError

METHODS = ["random", "always-alarm", "pca-error", "cnn-forecaster", "contrastive-gan", "no-mask"]


@pytest.fixture
def make_rows(make_row):
    def make(num_entities=7, names=METHODS, datasets=("smd",), seeds=(0, 1)):
        random = np.random.default_rng(0)
        rows = []
        for dataset in datasets:
            for number in range(num_entities):
                for quality, name in enumerate(names):
                    for seed in seeds if name != "pca-error" else seeds[:1]:
                        for post in ("raw", "ewma11", "two11", "scales11"):
                            value = 0.1 * quality + 0.05 * random.random() + 0.1 * (post == "two11")
                            key = (dataset, f"e{number}", name, seed, post)
                            family = methods()[name].family
                            rows.append(make_row(*key, family=family, vus_pr_score=value))
        return rows

    return make


def write(rows, folder, **options):
    return write_comparison(rows, folder, **options).read_text(encoding="utf-8")


def table_after(text, heading):
    lines = text.split(heading)[1].split("\n\n")
    table = next(part for part in lines if part.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def test_main_table_has_floors_first_and_point_adjustment_last(make_rows, tmp_path):
    text = write(make_rows(), tmp_path, command="python -m tsad_keras benchmark ...")
    table = table_after(text, "## With the shared smoothing")
    assert [row[0].strip("* ") for row in table[2:]] == [
        methods()[name].label for name in METHODS if name != "no-mask"
    ]
    headings = [cell.strip() for cell in table[0]]
    assert headings[1] == "VUS-PR"
    assert headings[-1] == "PA-F1 (oracle, inflated)"
    assert headings[-3:-1] == ["mean rank", "wins"]
    last = table[-1]
    assert last[-3:-1] == ["1.00", "7"]
    assert "**" in last[1] and "±" in last[1]
    assert "±" not in table[4][1]  # a method that is not random has no spread
    assert "python -m tsad_keras benchmark ..." in text
    assert "Seeds 0, 1" in text


def test_best_smoothing_is_named_for_each_method(make_rows, tmp_path):
    table = table_after(write(make_rows(), tmp_path), "## With the best smoothing")
    found = {row[0].strip("* "): row[1].strip() for row in table[2:]}
    assert found.pop("Contrastive-GAN (default)") == "raw"  # it smooths inside
    assert set(found.values()) == {"two11"}


def test_entities_ablations_and_costs_have_their_tables(make_rows, tmp_path):
    text = write(make_rows(), tmp_path)
    assert len(table_after(text, "## VUS-PR of each entity")) == 2 + 7
    ablations = table_after(text, "## Ablations")
    assert [row[0].strip("* ") for row in ablations[2:]] == ["Contrastive-GAN (default)", "no mask"]
    assert len(table_after(text, "## Decisions and cost")) == 2 + len(METHODS)


def test_differences_are_tested_from_six_entities_on(make_rows, tmp_path):
    text = write(make_rows(), tmp_path)
    tests = table_after(text, "Shared smoothing:")
    assert [row[0].strip() for row in tests[2:]] == [
        methods()[name].label for name in METHODS if name != "contrastive-gan"
    ]
    assert "7 : 0" in tests[2]
    assert "*" not in tests[0][-1]
    assert "Nemenyi" in text
    assert (tmp_path / "figures/critical_difference.png").stat().st_size > 0
    text = write(make_rows(num_entities=5), tmp_path)
    assert "too few for Wilcoxon" in text
    assert "critical_difference" not in text
    assert not (tmp_path / "figures/critical_difference.png").exists()


def test_several_data_sets_have_a_table_each(make_rows, tmp_path):
    text = write(make_rows(2, datasets=("smd", "msl")), tmp_path)
    assert text.startswith("# Benchmark: smd (2 entities), msl (2 entities)")
    assert "### smd alone" in text and "### msl alone" in text


def test_gaps_failures_and_mixed_versions_are_told(make_rows, tmp_path):
    rows = [
        row
        for row in make_rows()
        if (row["entity"], row["method"]) != ("e0", "cnn-forecaster")
        and (row["entity"], row["method"], row["seed"]) != ("e1", "random", 1)
    ]
    rows[0]["version_tsad_keras"] = "0"
    text = write(rows, tmp_path, failures=["smd e0, cnn-forecaster: no memory"])
    assert "- **failed**: smd e0, cnn-forecaster: no memory" in text
    assert "several versions of tsad_keras: 0, 1" in text
    assert "not every entity has all seeds yet: random" in text
    assert "CNN forecaster (6 of 7)" in text
    assert "| – |" in table_text(text, "## VUS-PR of each entity")


def table_text(text, heading):
    return text.split(heading)[1].split("\n## ")[0]


@pytest.mark.parametrize(
    "names", [["random"], ["no-mask"], ["pca-error", "random"], ["contrastive-gan"]]
)
def test_any_choice_of_methods_can_be_reported(make_rows, tmp_path, names):
    assert "## With the shared smoothing" in write(make_rows(names=names), tmp_path)


def test_a_row_without_smoothing_memory_and_false_alarm_rate(make_row, tmp_path):
    rows = [make_row(peak_memory_mb=None, false_alarm_rate=None)]
    text = write(rows, tmp_path)
    assert "| PCA error | 10.00 % | – | 1.0 | 0.1 | – | 1 |" in text


def test_nothing_to_report_is_an_input_error(tmp_path):
    with pytest.raises(InputError, match="no run has ended well"):
        write_comparison([], tmp_path)


def test_a_mean_over_fewer_entities_is_no_bar_beside_the_others(make_rows, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr(
        "tsad_keras.benchmark.comparison.plot_means",
        lambda labels, *_: drawn.update(labels=labels, title=_[-1]) or Figure(),
    )
    partial = "cnn-forecaster"
    rows = [r for r in make_rows() if (r["method"], r["entity"]) != (partial, "e3")]
    write(rows, tmp_path)
    assert methods()[partial].label not in drawn["labels"]
    assert len(drawn["labels"]) == len(METHODS) - 2  # nor the ablation
    assert "without 1 that has fewer" in drawn["title"]
    write([row for row in rows if row["entity"] != "e3"], tmp_path)
    assert methods()[partial].label in drawn["labels"] and "left out" not in drawn["title"]
