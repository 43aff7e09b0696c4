"""One model for several entities: shared networks, a calibration each; adapt, save, load."""

import numpy as np
import pandas as pd
import pytest

from tsad_keras import ContrastiveGANDetector, load_detector
from tsad_keras.errors import InputError
from tsad_keras.files import read_arrays, write_arrays
from tsad_keras.streaming import StreamingDetector

pytestmark = pytest.mark.filterwarnings("ignore:Even though")
SETTINGS = {"epochs": 1, "steps_per_epoch": 2, "memory_size": 50}


@pytest.fixture(scope="module")
def fleet(make_series):
    """Two servers of very different size; the second is the first, a thousand times as large."""
    values = make_series(200)
    return {"small": values, "large": 1000.0 * values + 7.0}


@pytest.fixture(scope="module")
def detector(fleet, tiny_config):
    settings = {**tiny_config, **SETTINGS, "entity_scaling": True}
    return ContrastiveGANDetector(**settings).fit(fleet, verbose=False)


def test_each_entity_has_its_own_scaler_and_shares_the_networks(detector, fleet):
    assert list(detector.entities_) == ["small", "large"]
    small, large = detector.entity("small"), detector.entity("large")
    assert small.networks_ is large.networks_ and small.memory_ is large.memory_
    assert small.autoregression_ is large.autoregression_ is not None
    assert np.allclose(large.scaler_.scale_, 1000 * small.scaler_.scale_)
    # Scaled by itself, the large one is the small one: that is what the setting is for.
    scores = [one.decision_function(fleet[name]) for name, one in detector.entities_.items()]
    assert np.allclose(*scores, rtol=1e-3)
    assert large.threshold_ == pytest.approx(small.threshold_, rel=1e-3)


def test_a_dict_or_a_list_of_all_is_scored_by_each_ones_own(detector, fleet):
    each = {name: detector.entity(name).decision_function(fleet[name]) for name in fleet}
    joined = np.concatenate(list(each.values()))
    assert detector.decision_function(fleet).tobytes() == joined.tobytes()
    assert detector.decision_function(list(fleet.values())).tobytes() == joined.tobytes()
    only = detector.decision_function({"large": fleet["large"]})
    assert only.tobytes() == each["large"].tobytes()
    alarms = np.concatenate([detector.entity(name).predict(fleet[name]) for name in fleet])
    assert np.array_equal(detector.predict(fleet), alarms)
    assert detector.explain(fleet, causal=True).shape == (400, 3)


def test_a_dict_of_frames_gets_answers_with_entity_and_time(detector, fleet):
    index = pd.date_range("2026-01-01", periods=200, freq="min", name="time")
    names = detector.feature_names_
    frames = {name: pd.DataFrame(fleet[name], index, names) for name in fleet}
    for verb in ("decision_function", "predict", "explain"):
        found = getattr(detector, verb)(frames)
        assert found.index.names == ["entity", "time"]
        np.testing.assert_array_equal(found, getattr(detector, verb)(fleet))
        one = getattr(detector.entity("large"), verb)(frames["large"])
        assert found.loc["large"].equals(one)


def test_without_a_name_nothing_is_guessed(detector, fleet):
    one = fleet["small"]
    for attempt in (
        lambda: detector.decision_function(one),
        lambda: detector.predict([one]),
        lambda: detector.score_windows(one),
        lambda: list(detector.iterate_explained([one])),
        lambda: StreamingDetector(detector),
    ):
        with pytest.raises(InputError, match=r"small, large.*--entity"):
            attempt()
    with pytest.raises(InputError, match=r"no entity 'web-1', expected one of small, large"):
        detector.entity("web-1")
    with pytest.raises(InputError, match="no entity 'web-1'"):
        detector.decision_function({"web-1": one})


def test_saved_and_loaded_it_scores_the_same(detector, fleet, tmp_path):
    detector.save(tmp_path / "all")
    again = load_detector(tmp_path / "all")
    assert again.config == detector.config and list(again.entities_) == list(fleet)
    assert again.decision_function(fleet).tobytes() == detector.decision_function(fleet).tobytes()
    assert again.weights_sha256_ == detector.weights_sha256_
    assert read_arrays(tmp_path / "all" / "detector.npz")[1]["format_version"] == 9
    # One entity alone is an ordinary model, in the ordinary format.
    detector.entity("large").save(tmp_path / "one")
    one = load_detector(tmp_path / "one")
    assert one.entities_ == {} and not one.config.entity_scaling
    assert read_arrays(tmp_path / "one" / "detector.npz")[1]["format_version"] == 8
    expected = detector.entity("large").decision_function(fleet["large"])
    assert one.decision_function(fleet["large"]).tobytes() == expected.tobytes()


def test_a_damaged_table_of_entities_is_refused(detector, tmp_path):
    detector.save(tmp_path)
    path = tmp_path / "detector.npz"
    arrays, header = read_arrays(path)
    for damage in (
        lambda a, h: a.update({"entities/mean": a["entities/mean"][:1]}),
        lambda a, h: a.pop("entities/fusion_levels"),
        lambda a, h: h["entities"][1].pop("threshold"),
        lambda a, h: h.update(entities=None),
    ):
        changed = (dict(arrays), {**header, "entities": [dict(e) for e in header["entities"]]})
        damage(*changed)
        write_arrays(path, *changed)
        with pytest.raises(InputError, match="is damaged"):
            load_detector(tmp_path)


def test_adapt_calibrates_a_new_entity_and_leaves_the_networks(detector, fleet, tmp_path):
    before = {name: w.tobytes() for name, w in detector.networks_.weights().items()}
    new = 50.0 - 3.0 * fleet["small"]
    alone = detector.adapt(new)
    assert "web-3" not in detector.entities_
    try:
        kept = detector.adapt(new, "web-3")
        assert kept.threshold_ == alone.threshold_
        assert np.allclose(kept.scaler_.mean_, new[:180].mean(axis=0))
        detector.save(tmp_path)
    finally:
        del detector.entities_["web-3"]
    same = load_detector(tmp_path).entity("web-3")
    assert same.decision_function(new).tobytes() == kept.decision_function(new).tobytes()
    assert {name: w.tobytes() for name, w in detector.networks_.weights().items()} == before
    # The same rows give what `fit` would have given.
    refitted = detector.adapt(fleet["small"])
    assert refitted.threshold_ == pytest.approx(detector.entity("small").threshold_, rel=1e-5)
    with pytest.raises(InputError, match="expected at least 40"):
        detector.adapt(new[:39])


def test_an_ordinary_model_adapts_too_but_has_no_names(tiny_detector, make_series):
    adapted = tiny_detector.adapt(100 * make_series(200))
    assert adapted.scaler_.scale_[0] == pytest.approx(100 * tiny_detector.scaler_.scale_[0], 0.1)
    assert adapted.networks_ is tiny_detector.networks_
    with pytest.raises(InputError, match="without entity_scaling"):
        tiny_detector.adapt(make_series(200), "web-1")
    with pytest.raises(InputError, match="one scaler and calibration for all"):
        tiny_detector.entity("web-1")


def test_names_of_series_and_what_is_wrong_with_one(fleet, tiny_config):
    settings = {**tiny_config, **SETTINGS, "entity_scaling": True}
    values = fleet["small"]
    # An entity may have several series, as when its data have gaps.
    names = ["a", "b", "a"]
    pieces = [values[:100], values, values[120:]]
    detector = ContrastiveGANDetector(**settings).fit(pieces, entity_names=names, verbose=False)
    assert list(detector.entities_) == ["a", "b"]
    seen = np.concatenate([values[:80], values[120:180]])
    assert np.allclose(detector.entity("a").scaler_.mean_, seen.mean(axis=0))
    for X, names, fragment in (
        ({"a": values, "b": values[:30]}, None, "entity 'b': the longest training series has 30"),
        ({"a": values, "b": np.ones((60, 3))}, None, "entity 'b': every feature is constant"),
        ([values, values], ["a"], "1 entity_names came for 2 series"),
        ({"a": pd.DataFrame(values), "b": values[:, :2]}, None, "expected the same number"),
    ):
        with pytest.raises(InputError, match=fragment):
            ContrastiveGANDetector(**settings).fit(X, entity_names=names, verbose=False)


def test_without_the_setting_a_dict_is_a_list(fleet, tiny_config):
    settings = {**tiny_config, **SETTINGS}
    first = ContrastiveGANDetector(**settings).fit(fleet, verbose=False)
    second = ContrastiveGANDetector(**settings).fit(list(fleet.values()), verbose=False)
    assert first.entities_ == {} and first.threshold_ == second.threshold_


def test_all_entities_have_the_weights_that_the_networks_know(fleet, tiny_config):
    flags = {name: values.copy() for name, values in fleet.items()}
    for values in flags.values():
        values[:, 0] = values[:, 0] > np.median(values[:, 0])
    flags["small"][:, 1] = flags["small"][:, 1] > np.median(flags["small"][:, 1])
    settings = {**tiny_config, **SETTINGS, "entity_scaling": True, "epochs": 1}
    fitted = ContrastiveGANDetector(**settings).fit(flags, verbose=False)
    adapted = fitted.adapt(fleet["large"])
    for one in (*fitted.entities_.values(), adapted):
        assert one.scaler_.weight_.tolist() == [0.1, 1, 1]
