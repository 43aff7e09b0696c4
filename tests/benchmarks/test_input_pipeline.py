"""The loop that geometric masks are compared with obeys the same law; the figures come out."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf

from tsad_keras.masking import geometric_mask


@pytest.fixture(scope="module")
def script(load_script):
    return load_script("input_pipeline")


def law(mask):
    """Hidden share, share at the first step, mean length of hidden runs that end inside."""
    before, after = mask[:, :-1], mask[:, 1:]
    leaves = (before & ~after).sum() / before.sum()
    enters = (~before & after).sum() / (~before).sum()
    return np.array([mask.mean(), mask[:, 0].mean(), leaves, enters])


@pytest.mark.parametrize("settings", [{}, {"masking_ratio": 0.4, "mean_mask_length": 5.0}])
def test_the_loop_obeys_the_law_of_geometric_mask(script, settings):
    shape = (40, 60, 20)
    ratio, length = settings.get("masking_ratio", 0.15), settings.get("mean_mask_length", 3.0)
    expected = np.array([ratio, ratio, 1 / length, ratio / (1 - ratio) / length])
    looped = law(script.loop_mask(shape, random.Random(3).random, **settings))
    drawn = law(geometric_mask(shape, tf.constant([0, 3], tf.int64), **settings).numpy())
    tolerances = np.array([0.01, 0.06, 0.02, 0.01])
    assert (np.abs(looped - expected) < tolerances).all(), looped
    assert (np.abs(drawn - expected) < tolerances).all(), drawn


def test_last_line_is_json_with_shares_and_speed_ups(script, capsys, monkeypatch):
    monkeypatch.setattr(script, "use_threads", lambda count: None)
    small = ["--rounds", "2", "--steps", "1", "--epochs", "1", "--mask-calls", "1"]
    assert script.main(small) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["benchmark"] == "input_pipeline"
    assert result["input"]["training step"]["of_step"] == 1.0
    assert result["input"]["met"] == (result["input"]["input"]["of_step"] < 0.05)
    masks = result["masks"]
    assert masks["geometric_mask"]["speed_up"] == 1.0
    assert masks["met"] == (masks["loop, NumPy's numbers"]["speed_up"] >= 100)
    assert masks["loop, Python's numbers"]["ms"] > masks["geometric_mask"]["ms"]
