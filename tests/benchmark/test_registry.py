"""What is compared: every method the benchmark promises, found by name, family or all."""

import pytest

from tsad_keras.benchmark.registry import (
    DEFAULT,
    FAMILIES,
    check_overrides,
    choose_methods,
    methods,
    models,
)
from tsad_keras.errors import InputError

PROMISED = {
    "floor": ["random", "always-alarm", "untrained"],
    "simple": ["l2-norm", "l2-norm-clip10", "pca-error", "knn", "knn-projection", "k-means"],
    "neural": ["dense-autoencoder", "lstm-autoencoder", "transformer-autoencoder"],
    "ours": ["contrastive-gan", "hybrid"],
    "ablation": [
        *("no-mask", "bernoulli-mask", "no-adversarial", "no-contrastive"),
        *("no-adversarial-no-contrastive", "realism-score", "combined-score", "no-calibration"),
    ],
}


def names(*words):
    return [method.name for method in choose_methods(words)]


@pytest.mark.parametrize("family", FAMILIES)
def test_families_hold_what_was_promised(family):
    assert set(PROMISED[family]) <= set(names(family))
    assert all(methods()[name].family == family for name in names(family))


def test_all_is_the_families_one_after_the_other_without_doubles():
    assert names("all") == [name for family in FAMILIES for name in names(family)]
    assert names("all", "knn", "simple") == names("all")
    assert {method.model for method in choose_methods(["all"])} == set(models())
    assert len({method.label for method in choose_methods(["all"])}) == len(names("all"))


def test_single_methods_come_in_the_tables_order():
    assert names("knn", "random", "pca-error") == ["random", "pca-error", "knn"]


@pytest.mark.parametrize(
    ("word", "near"), [("kmeans", "k-means"), ("neurals", "neural"), ("hybird", "hybrid")]
)
def test_an_unknown_method_is_refused_with_the_nearest(word, near):
    with pytest.raises(InputError, match=f"unknown method '{word}', expected '{near}'"):
        choose_methods(["random", word])


def test_a_word_near_nothing_is_refused_too():
    with pytest.raises(InputError, match="expected one of: all, floor"):
        choose_methods(["zzzzzz"])


def test_every_model_has_settings_and_one_rule_for_decisions():
    for name, model in models().items():
        config = model.make_config({"false_alarm_rate": 0.02}, seed=3)
        assert (config.seed, config.false_alarm_rate, config.threshold_method) == (3, 0.02, "pot")
        if model.baseline is not None:
            baseline = model.make_baseline(config)
            assert baseline.false_alarm_rate == 0.02
            assert baseline.smoothing_span == 1
            assert baseline.clip == (10.0 if name.endswith("clip10") else 50.0)
            assert model.is_random == hasattr(baseline, "seed")
            assert not model.is_random or baseline.seed == 3


def test_ablations_differ_from_the_default_in_what_they_say():
    default = models()[DEFAULT].make_config({}, seed=0).to_dict()
    differences = {
        name: {
            key: value
            for key, value in models()[name].make_config({}, seed=0).to_dict().items()
            if value != default[key]
        }
        for name in PROMISED["ablation"]
        if name in models()
    }
    assert differences == {
        "no-mask": {"mask_type": "none"},
        "bernoulli-mask": {"mask_type": "random"},
        "no-adversarial": {"adversarial_weight": 0.0},
        "no-contrastive": {"contrastive_weight": 0.0},
        "no-adversarial-no-contrastive": {"adversarial_weight": 0.0, "contrastive_weight": 0.0},
    }


def test_settings_that_fit_no_method_are_refused_with_the_method_if_only_it_is_at_fault():
    with pytest.raises(InputError, match="^hidden_dim is 30"):
        check_overrides({"hidden_dim": 30}, choose_methods(["contrastive-gan"]))
    with pytest.raises(InputError, match=r"^method hybrid: .*multiple of num_heads"):
        check_overrides({"hidden_dim": 12}, choose_methods(["contrastive-gan", "hybrid"]))


def test_what_smooths_inside_is_what_has_the_fused_score():
    fused = {name for name, method in methods().items() if method.is_fused}
    assert {"contrastive-gan", "untrained", "no-mask", "no-bursts", "memory-only"} <= fused
    assert fused.isdisjoint({"hybrid", "realism-score", "no-mask-reconstruction-score", "knn"})


def test_each_view_is_scored_alone():
    views = {"reconstruction", "forecast", "shift", "memory"}
    for view in ("forecast", "shift", "memory"):
        (method,) = choose_methods([f"{view}-only"])
        assert method.options == {f"has_{name}": False for name in views - {view}}


def test_parts_are_left_out_of_the_score_one_by_one():
    left_out = {
        method.name: method.options
        for method in choose_methods(["ablation"])
        if method.model == DEFAULT and method.name.startswith("no-") and method.is_fused
    }
    assert left_out == {
        "no-reconstruction": {"has_reconstruction": False},
        "no-forecast": {"has_forecast": False},
        "no-shift": {"has_shift": False},
        "no-memory": {"has_memory": False},
        "no-bursts": {"burst_span": 0},
        "no-smoothing": {"has_smoothing": False},
        "no-calibration": {"calibrate": False},
    }
