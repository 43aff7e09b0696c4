"""The settings: types, ranges, contradictions, presets, JSON."""

import dataclasses
import json

import numpy as np
import pytest

from tsad_keras.config import _RANGES, PRESETS, Config, choices, field_type
from tsad_keras.errors import InputError

FIELDS = [field.name for field in dataclasses.fields(Config)]
NUMBERS = [name for name in FIELDS if field_type(name) in (int, float)]


@pytest.mark.parametrize("preset", PRESETS)
def test_json_round_trip(preset, tmp_path):
    config = Config.from_preset(preset, seed=3)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config.to_dict()))
    assert Config.from_json(path) == config
    assert list(config.to_dict()) == FIELDS


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


def test_unknown_key_names_it_and_the_known_ones():
    with pytest.raises(InputError, match=r"unknown setting 'window_sizes'.*window_size"):
        Config.from_dict({"window_sizes": 3})
    with pytest.raises(InputError, match="unknown setting 'win_size'"):
        Config.from_preset("hybrid", win_size=3)


def test_unknown_preset_names_the_known_ones():
    with pytest.raises(InputError, match=r"unknown preset 'hybird'.*contrastive-gan, hybrid"):
        Config.from_preset("hybird")


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "value",
    ["3", None, True, [3], float("nan"), float("inf"), 10**400],
    ids=["text", "none", "bool", "list", "nan", "inf", "huge"],
)
def test_a_number_must_be_a_finite_number(name, value):
    with pytest.raises(InputError, match=f"^{name} is .*expected a finite number"):
        Config(**{name: value})


@pytest.mark.parametrize("name", [name for name in FIELDS if field_type(name) is int])
def test_a_count_must_be_whole(name):
    with pytest.raises(InputError, match=f"{name} is 2.5, expected a whole number"):
        Config(**{name: 2.5})


@pytest.mark.parametrize("name", [name for name in FIELDS if field_type(name) is bool])
def test_a_switch_must_be_true_or_false(name):
    for value in (0, 1, "true", None):
        with pytest.raises(InputError, match=f"{name} is .*expected true or false"):
            Config(**{name: value})


@pytest.mark.parametrize("name", [name for name in FIELDS if choices(name)])
def test_a_word_must_be_one_of_its_choices(name):
    for value in ("something", None, 3, ["pot"]):
        with pytest.raises(InputError, match=f"{name} is .*expected one of {choices(name)[0]}"):
            Config(**{name: value})


def test_numbers_of_numpy_are_numbers():
    config = Config(seed=np.int64(4), learning_rate=np.float32(0.5), epochs=np.float64(3.0))
    assert (config.seed, config.learning_rate, config.epochs) == (4, 0.5, 3)
    assert {type(config.seed), type(config.epochs)} == {int}
    assert type(config.learning_rate) is float
    json.dumps(config.to_dict())


def test_every_number_has_a_range():
    assert sorted(_RANGES) == sorted(NUMBERS)


@pytest.mark.parametrize("name", NUMBERS)
def test_values_out_of_range_are_refused(name):
    low, high, excluded = _RANGES[name]
    with pytest.raises(InputError, match=rf"^{name} is -1(\.0)?, expected "):
        Config(**{name: -1})
    if excluded:
        with pytest.raises(InputError, match=f"{name} is .*expected more than {low:g}"):
            Config(**{name: low})
    if np.isfinite(high):
        with pytest.raises(InputError, match=f"{name} is .*at most"):
            Config(**{name: high + 1})


def test_a_range_with_an_upper_end_says_both():
    with pytest.raises(InputError, match="masked_weight is 1.5, expected 0 or more and at most 1"):
        Config(masked_weight=1.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window_size": 50, "patch_size": 7}, "multiple of patch_size"),
        ({"window_size": 50, "patch_size": 5, "score_stride": 51}, "score_stride is 51"),
        ({"hidden_dim": 10, "num_heads": 3}, "hidden_dim is 10, expected a multiple of num_heads"),
        (
            {"mask_type": "geometric", "masking_ratio": 0.9, "mean_mask_length": 3.0},
            "mean_mask_length is 3.0, expected 9 or more",
        ),
        (
            {"score_mode": "combined", "adversarial_weight": 0},
            "score_mode is 'combined' with adversarial_weight 0",
        ),
        ({"score_mode": "realism", "adversarial_weight": 0}, "adversarial_weight 0"),
        (
            {"score_mode": "reconstruction", "reconstruction_weight": 0},
            "reconstruction_weight is 0",
        ),
    ],
)
def test_contradictions_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        Config(**values)


def test_mask_lengths_that_are_a_markov_chain_pass():
    assert Config(mask_type="geometric", masking_ratio=0.9, mean_mask_length=9.0)
    assert Config(mask_type="geometric", masking_ratio=1.0, mean_mask_length=1.0)
    assert Config(mask_type="random", masking_ratio=0.9, mean_mask_length=3.0)


def test_hybrid_is_what_was_published():
    published = {
        "window_size": 100,
        "stride": 50,
        "hidden_dim": 128,
        "num_layers": 4,
        "num_heads": 8,
        "latent_generator": True,
        "latent_dim": 64,
        "discriminator_layers": 4,
        "mask_type": "random",
        "masking_ratio": 0.15,
        "jitter": 0.03,
        "learning_rate": 5e-4,
        "weight_decay": 1e-5,
        "reduce_lr_patience": 5,
        "batch_size": 64,
        "epochs": 40,
        "reconstruction_weight": 1.0,
        "contrastive_weight": 0.2,
        "adversarial_weight": 0.05,
        "contrastive_source": "encoder",
        "score_mode": "combined",
        "realism_weight": 1.0,
    }
    config = Config.from_preset("hybrid").to_dict()
    assert {name: config[name] for name in published} == published


def test_contrastive_gan_is_the_bare_config_and_has_the_papers_parts():
    config = Config.from_preset("contrastive-gan")
    assert config == Config()
    assert config.mask_type == "geometric"
    assert config.contrastive_source == "discriminator"
    assert not config.latent_generator
    assert min(config.contrastive_weight, config.adversarial_weight) > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read the config file"),
        ("{", "cannot read the config file"),
        ("[1, 2]", "holds a JSON list, expected an object"),
        ('{"epoch": 1}', "unknown setting 'epoch'"),
        ('{"epochs": "many"}', "epochs is 'many', expected a finite number"),
        ('{"jitter": NaN}', "jitter is nan, expected a finite number"),
    ],
)
def test_a_bad_config_file_is_an_input_error(text, message, tmp_path):
    path = tmp_path / "config.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InputError, match=message):
        Config.from_json(path)


def test_a_binary_config_file_is_an_input_error(tmp_path):
    (tmp_path / "config.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="cannot read"):
        Config.from_json(tmp_path / "config.json")


@pytest.mark.parametrize(
    ("settings", "lags"),
    [
        ({}, 3),
        ({"forecast_order": 0}, 0),
        ({"forecast_order": 7, "window_size": 10}, 5),  # both directions within a window
        ({"window_size": 2, "patch_size": 1, "score_stride": 1}, 1),
        ({"score_mode": "reconstruction"}, 0),
        ({"score_mode": "combined"}, 0),
    ],
)
def test_forecasts_look_back_half_a_window_at_most(settings, lags):
    settings = {"score_stride": min(50, settings.get("window_size", 50)), **settings}
    assert Config(**settings).forecast_lags == lags
