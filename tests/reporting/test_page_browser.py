"""The page in a real headless Chromium: what is drawn, what a hand does to it, what it loads."""

from __future__ import annotations

import numpy as np
import pytest

from tsad_keras.reporting.page import mean_page

# Counts what the next drawings do, and lets one drawing happen.
COUNT = """
const done = arguments[0], prototype = CanvasRenderingContext2D.prototype;
window.counts = {lines: 0, boxes: 0};
if (!window.isCounting) {
  window.isCounting = true;
  const [lineTo, fillRect] = [prototype.lineTo, prototype.fillRect];
  prototype.lineTo = function (...values) { window.counts.lines++; return lineTo.apply(this, values); };
  prototype.fillRect = function (...values) { window.counts.boxes++; return fillRect.apply(this, values); };
}
document.getElementById("logarithmic").dispatchEvent(new Event("change"));
requestAnimationFrame(() => requestAnimationFrame(() => done(window.counts)));
"""  # noqa: E501
# How many pixels of a canvas are near a color.
PIXELS = """
const canvas = document.querySelector(arguments[0]), [red, green, blue] = arguments[1];
const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
let count = 0;
for (let i = 0; i < data.length; i += 4) {
  const distance = Math.abs(data[i] - red) + Math.abs(data[i + 1] - green) + Math.abs(data[i + 2] - blue);
  if (data[i + 3] > 200 && distance < 40) count++;
}
return count;
"""  # noqa: E501
BLUE, RED, GREEN, ORANGE = (29, 95, 167), (209, 53, 61), (11, 138, 114), (180, 83, 9)


@pytest.fixture
def page(browser, make_series, make_page):
    """The small page, open; at the end nothing was complained of and nothing was loaded."""
    browser.open(make_page(make_series()))
    yield browser
    assert_quiet(browser)


def assert_quiet(browser):
    console, requests = browser.logs()
    # `rendering`: a hint about speed that the tests' own reading of pixels earns.
    assert [entry for entry in console if entry["source"] != "rendering"] == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) <= 1  # the page itself


def pointer(browser):
    from selenium.webdriver import ActionChains

    return ActionChains(browser.driver, duration=0)


def test_score_threshold_alarms_and_true_events_are_drawn(page):
    for color in (BLUE, RED, GREEN, ORANGE):
        assert page.run(PIXELS, "#score", color) > 20, color
    assert page.run(PIXELS, "#overview", BLUE) > 20
    assert len(page.find("#panels canvas")) == 3  # the top features of the highest alarm
    assert page.view() == (0, 600)


def test_hostile_names_are_text(page):
    assert page.driver.title == "<i>name</i>, a&b"
    assert page.find("b img, main i:not(.swatch):not(.bar i), td b, .panel b") == []
    names = page.run("return [...document.querySelectorAll('.alarms bdi')].map(e => e.textContent)")
    assert any("</script>" in name for name in names) and "<b>bold</b>" in names
    shown = page.run("return [...document.querySelectorAll('option')].map(e => e.textContent)")
    assert any("{{data}} \\u003c ' \" & \u2028 `x` **y**" in name for name in shown)


def test_a_click_on_an_alarm_shows_it_with_its_features_and_double_click_shows_all(page):
    page.click("#alarm-table tbody button", 1)
    start, end = page.view()
    assert 250 <= start < 400 and 440 < end <= 560
    assert page.find("#alarm-table tr[aria-current]")[0].get_attribute("data-start") == "400"
    name = page.run("return document.querySelector('.panel .name').textContent")
    assert name == "<b>bold</b>"
    pointer(page).double_click(page.find("#score")[0]).perform()
    assert page.view() == (0, 600)


def test_drag_wheel_buttons_and_overview_zoom(page):
    chart = page.find("#score")[0]
    pointer(page).move_to_element_with_offset(chart, -200, 0).click_and_hold().move_by_offset(
        200, 0
    ).release().perform()
    start, end = page.view()
    assert 100 < start < 300 and 250 < end < 400
    page.click("[data-action=reset]")
    assert page.view() == (0, 600)
    wheel = "arguments[0].dispatchEvent(new WheelEvent('wheel', {deltaY: arguments[1], clientX: 640, bubbles: true, cancelable: true}))"  # noqa: E501
    page.run(wheel, page.find("#stack")[0], -200)
    start, end = page.view()
    assert 250 < end - start < 400
    page.run(wheel, page.find("#stack")[0], 200)
    page.click("[data-action=in]")
    assert page.view() == (150, 450)
    page.click("[data-action=out]")
    assert page.view() == (0, 600)
    page.click("[data-action=in]")
    overview = page.find("#overview")[0]
    pointer(page).move_to_element(overview).click_and_hold().move_by_offset(
        -600, 0
    ).release().perform()
    assert page.view() == (0, 300)


def test_keys_do_what_a_hand_does(page):
    from selenium.webdriver import Keys

    stack = page.find("#stack")[0]
    stack.send_keys("+")
    assert page.view() == (150, 450)
    stack.send_keys(Keys.ARROW_LEFT)
    assert page.view() == (75, 375)
    stack.send_keys(Keys.END)
    assert page.view() == (300, 600)
    stack.send_keys("0")
    assert page.view() == (0, 600)
    stack.send_keys("n")  # from the middle: the second alarm
    assert page.find("tr[aria-current]")[0].get_attribute("data-start") == "400"
    stack.send_keys("p")
    assert page.find("tr[aria-current]")[0].get_attribute("data-start") == "100"


def test_the_pointer_reads_values(page):
    pointer(page).move_to_element(page.find("#score")[0]).perform()
    assert "row 286 · score 0.2" in page.run(
        "return document.getElementById('readout').textContent"
    )
    assert page.run("return document.querySelector('.panel-head .value').textContent") != ""


def test_alarms_sort_by_peak(page):
    def starts():
        return [row.get_attribute("data-start") for row in page.find("#alarm-table tbody tr")]

    assert starts() == ["100", "400"]
    page.click("th[data-key=peak] button")
    assert starts() == ["400", "100"]
    assert page.find("th[data-key=peak]")[0].get_attribute("aria-sort") == "descending"
    page.click("th[data-key=peak] button")
    assert starts() == ["100", "400"]
    row = page.find("#alarm-table tbody tr")[0].text
    assert "row 100" in row and "row 129" in row and "yes" in row and "mean 10" in row


def test_a_feature_can_be_added_and_hidden(page):
    page.run(
        "const p = document.getElementById('picker'); p.value = '4';"
        "p.dispatchEvent(new Event('change'))"
    )
    page.wait("return document.querySelectorAll('.panel').length === 4")
    assert (
        page.run("return document.querySelector('.panel:last-child .name').textContent") == "plain"
    )
    page.click(".panel .close")
    page.wait("return document.querySelectorAll('.panel').length === 3")


def test_without_labels_there_is_no_table_and_no_true_event(browser, make_series, make_page):
    browser.open(make_page(make_series(labels=None)))
    assert browser.find(".results") == [] and browser.run(PIXELS, "#score", GREEN) == 0
    assert not any(element.is_displayed() for element in browser.find(".with-truth"))
    assert "True event" not in browser.find("#alarm-table")[0].text
    assert_quiet(browser)


def test_without_alarms_the_page_says_so(browser, make_series, make_page):
    browser.open(make_page(make_series(events=())))
    assert "None: no score reached" in browser.find("#alarm-text")[0].text
    assert not browser.find("#alarm-table")[0].is_displayed()
    assert len(browser.find(".panel")) == 1
    assert_quiet(browser)


def test_a_long_list_is_shown_in_parts_and_says_what_is_left_out(browser, make_series, make_page):
    events = tuple((start, start + 5) for start in range(100, 9000, 100))
    series = make_series(num_rows=9100, events=events)
    browser.open(make_page(series, most_alarms=60))
    assert len(browser.find("#alarm-table tbody tr")) == 25
    assert "the 60 with the highest peaks; 29 with lower" in browser.find("#alarm-text")[0].text
    browser.click("#show-all")
    assert len(browser.find("#alarm-table tbody tr")) == 60
    assert_quiet(browser)


def test_times_are_shown_and_missing_values_leave_gaps(browser, make_series, make_page):
    times = np.datetime64("2024-02-28T00:00", "ns") + np.arange(600) * np.timedelta64(60, "s")
    times[300:] += np.timedelta64(5, "D")
    series = make_series(timestamps=times)
    series.values[350:] = np.nan
    browser.open(make_page(series))
    text = browser.find("#view-text")[0].text
    assert "2024-02-28 00:00:00 to 2024-03-04 09:59:00" in text
    assert "2024-02-28 01:40:00" in browser.find("#alarm-table tbody tr")[0].text
    assert "missing" in browser.find("#alarm-table tbody tr")[1].text
    assert_quiet(browser)


def test_ninety_thousand_rows_are_drawn_by_columns(browser, make_series, make_page):
    rng = np.random.default_rng(0)
    starts = np.sort(rng.choice(8900, 3000, replace=False)) * 10
    names = [f"feature_{index}" for index in range(38)]
    events = tuple((start, start + 3) for start in starts)
    browser.open(make_page(make_series(90_000, 38, names, events=events)))
    assert browser.view() == (0, 90_000)
    counts = browser.driver.execute_async_script(COUNT)
    # Five canvases of about 1100 columns, two points a column.
    assert 1000 < counts["lines"] < 5 * 2 * 1300
    assert counts["boxes"] < 5 * 2 * 1300
    browser.click("[data-action=in]")
    assert browser.view() == (22_500, 67_500)
    browser.click("#alarm-table tbody button", 3)
    start, end = browser.view()
    assert end - start < 5000
    assert browser.run(PIXELS, "#score", BLUE) > 100
    assert_quiet(browser)


def test_a_phone_sees_all_without_scrolling_sideways(browser, make_series, make_page):
    phone = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        browser.open(make_page(make_series()))
        width = browser.run("return document.documentElement.scrollWidth")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 390
    assert_quiet(browser)


def test_nothing_can_be_loaded_even_by_a_script_inside(page):
    blocked = """
    const done = arguments[0];
    document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
    fetch("http://127.0.0.1:9/").catch(() => {});
    setTimeout(() => done("nothing was stopped"), 10000);
    """
    assert page.driver.execute_async_script(blocked) == "connect-src"
    page.driver.get_log("browser")  # the browser's word about it


def test_the_page_over_several_runs_needs_no_script(browser, make_mean_summary, make_series):
    browser.open(mean_page(make_mean_summary(make_series())))
    assert browser.find("#runs a")[0].text == "<b>"
    assert len(browser.find(".results tbody tr")) == 3
    assert_quiet(browser)
