"""The page as text: what is in it, and that nothing breaks out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import numpy as np

from tsad_keras.reporting.packing import unpack, unpack_feature
from tsad_keras.reporting.page import mean_page, run_page
from tsad_keras.reporting.page_curves import training_curves
from tsad_keras.reporting.page_data import page_data


def data_of(page):
    return json.loads(page.split('id="data">')[1].split("</script>")[0])


class Tags(HTMLParser):
    """All tags and their attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def test_names_cannot_break_out(make_page, make_series):
    page = make_page(make_series())
    tags = Tags(page).found
    assert [tag for tag, _ in tags if tag in ("b", "img", "script")] == ["b"] * 4 + ["script"] * 2
    assert "<title>&lt;i&gt;name&lt;/i&gt;, a&amp;b</title>" in page
    assert data_of(page)["features"][0]["name"].startswith("</script><script>")
    assert not re.search(r"[<>&]", page.split('id="data">')[1].split("</script>")[0])


def test_the_policy_allows_just_this_script_and_style_and_no_network(make_page, make_series):
    page = make_page(make_series())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules["default-src"] == "'none'" and rules["img-src"] == "data:"
    for name, pattern in (("script-src", "<script>(.*?)</script>"), ("style-src", "<style>(.*?)<")):
        (text,) = re.findall(pattern, page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[name] == f"'sha256-{digest}'"


def test_nothing_points_elsewhere_and_no_attribute_holds_code(make_page, make_series):
    for _, attributes in Tags(make_page(make_series())).found:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            assert attributes.get(name, "#").startswith(("#", "data:"))


def test_ids_are_unique_and_references_lead_somewhere(make_page, make_series):
    tags = Tags(make_page(make_series())).found
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    for _, attributes in tags:
        for name in ("aria-labelledby", "aria-describedby", "aria-controls"):
            assert attributes.get(name, ids[0]) in ids
        if attributes.get("href", "").startswith("#"):
            assert attributes["href"][1:] in ids


def test_data_hold_every_score_alarm_and_raw_value(make_series, make_summary):
    series = make_series()
    data = page_data(make_summary(series), series)
    assert np.allclose(unpack(data["scores"], np.float32), series.scores, rtol=1e-6)
    runs = [unpack(data["alarm_runs"][name], np.int32).tolist() for name in ("starts", "ends")]
    assert runs == [[100, 400], [130, 440]]
    assert unpack(data["true_runs"]["ends"], np.int32).tolist() == [130]
    for place, feature in enumerate(data["features"]):
        assert np.allclose(unpack_feature(feature), series.values[:, place], atol=0.01)
    alarm = data["groups"][0]
    place, share, value, mean = alarm["top"][0]
    assert (alarm["start"], alarm["end"], place, mean) == (100, 130, 0, 10.0)
    assert value > 50 and 0.5 < share <= 1
    json.dumps(data, allow_nan=False)


def test_raw_values_are_bounded_what_does_not_fit_is_stored_around_alarms_or_named(
    make_series, make_summary
):
    series = make_series(num_rows=2000)
    whole = page_data(make_summary(series), series)["features"]
    most = 3 * max(len(feature["data"]) for feature in whole)
    data = page_data(make_summary(series), series, max_raw_characters=most)
    features = data["features"]
    assert sum(len(feature.get("data", "")) for feature in features) <= most
    partial = [place for place, feature in enumerate(features) if feature.get("is_partial")]
    left = [feature["name"] for feature in features if "data" not in feature]
    assert 1 <= len(partial) <= 3
    for place in partial:
        values = unpack_feature(features[place])
        near = np.zeros(2000, bool)
        for alarm in data["groups"]:
            if place in [top[0] for top in alarm["top"]]:
                near[max(0, alarm["start"] - 100) : alarm["end"] + 100] = True
        assert np.allclose(values[near], series.values[near, place], atol=0.01)
        assert np.isnan(values[~near]).all()
    assert f"{len(partial)} of 5 features are stored around their alarms" in data["left_out"]
    assert all(name in data["left_out"] for name in left)


def test_no_room_for_raw_values_leaves_all_out(make_series, make_summary):
    series = make_series()
    data = page_data(make_summary(series), series, max_raw_characters=10)
    assert not any("data" in feature for feature in data["features"])
    assert "those of 5 are left out" in data["left_out"]


def test_result_table_has_the_rows_in_order_and_marks_oracle_columns(make_page, make_series):
    page = make_page(make_series())
    table = page.split('<table class="results">')[1].split("</table>")[0]
    rows = re.findall(r'<th scope="row">(.*?)</th>', table)
    assert rows[0].startswith("Random") and "floor" in rows[0]
    assert rows[1:] == ["PCA error", "Contrastive-GAN detector"]
    assert table.count("oracle, inflated") == 1 and table.count(">oracle<") == 1
    assert "<strong>0.800</strong>" in table and "<strong>0.600" not in table


def test_without_labels_there_are_no_metrics(make_page, make_series):
    page = make_page(make_series(labels=None))
    assert 'class="results"' not in page and "VUS-PR" not in page.split("<section")[0]
    assert "no labels" in page and data_of(page)["true_runs"] is None
    assert {alarm["hits"] for alarm in data_of(page)["groups"]} == {None}


def test_settings_that_are_not_the_default_are_marked(make_page, make_series):
    page = make_page(make_series())
    assert re.findall(r'<div class="changed"><dt>(\w+)</dt><dd>(\w+)<', page) == [("epochs", "3")]


def test_training_curves_of_odd_histories():
    keys = ("reconstruction_loss", "contrastive_loss", "adversarial_loss", "discriminator_loss")
    row = {"epoch": 1, "val_reconstruction_loss": float("nan"), **dict.fromkeys(keys, 0.0)}
    row["reconstruction_loss"] = 0.5
    assert training_curves([row], 1).count("switched off") == 3
    assert "nan" not in training_curves([row], 1)
    assert "not known" in training_curves([], 0)


def test_a_result_on_published_data_stands_beside_published_numbers(make_series, make_summary):
    series = make_series()
    summary = make_summary(series)
    summary["dataset"]["name"] = "psm"
    page = run_page(summary, series, [])
    assert "PCA error (read in its paper" in page and "audit this result" in page
    summary["dataset"]["is_stand_in"] = True
    page = run_page(summary, series, [])
    assert "No comparison with published numbers" in page and "audit this" not in page


def test_window_level_numbers_are_shown_where_there_are_such(make_series, make_summary):
    series = make_series()
    keys = ("precision_score", "recall_score", "f1_score", "roc_auc_score")
    level = {"num_windows": 9, "num_anomalous": 2, "metrics": dict.fromkeys(keys, 0.4321)}
    page = run_page({**make_summary(series), "window_level": level}, series, [])
    assert "9 windows, 2 anomalous" in page and page.count(">0.432<") == 4


def test_page_of_several_runs_links_to_theirs(make_mean_summary, make_series):
    page = mean_page(make_mean_summary(make_series()))
    assert '<a href="a%20b/report.html">&lt;b&gt;</a>' in page
    assert "<script" not in page and "script-src 'none'" in page
