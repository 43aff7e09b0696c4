// Puts the page together once its data are decoded.

async function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  if (!window.DecompressionStream) {
    throw new Error("this browser cannot unpack the data of this page; use one of 2023 or later");
  }
  const parts = {
    clock: await Clock.read(data.times, data.num_rows),
    scores: await scoreSeries(data.scores),
    alarms: await readRuns(data.alarm_runs),
    truth: await readRuns(data.true_runs),
  };
  document.body.classList.toggle("no-truth", !parts.truth);
  const chart = new Chart(data, parts);
  const list = new AlarmList(chart, data);
  chart.draw();
  addGestures(chart);
  addButtons(chart);
  addPicker(chart, data);
  const highest = [...list.alarms].sort((a, b) => b.peak - a.peak)[0];
  const first = data.features.findIndex((feature) => feature.data);
  await chart.showFeatures(highest ? highest.top.map((top) => top[0]) : first < 0 ? [] : [first]);
  document.body.dataset.ready = "true";
}

function addButtons(chart) {
  const actions = {
    in: () => chart.zoom(0.5),
    out: () => chart.zoom(2),
    reset: () => chart.reset(),
    next: () => chart.onNeighbour(1),
    previous: () => chart.onNeighbour(-1),
  };
  for (const button of document.querySelectorAll("[data-action]")) {
    button.addEventListener("click", actions[button.dataset.action]);
    if (!chart.data.num_alarms && ["next", "previous"].includes(button.dataset.action)) button.disabled = true;
  }
}

/** The list of features whose raw values are stored; choosing one adds a panel. */
function addPicker(chart, data) {
  const picker = document.getElementById("picker");
  picker.append(element("option", { value: "" }, "add a feature …"));
  data.features.forEach((feature, index) => {
    if (feature.data) picker.append(element("option", { value: index }, feature.name));
  });
  picker.addEventListener("change", () => {
    if (picker.value === "") return;
    const kept = [...chart.panels.keys()].filter((index) => index !== Number(picker.value));
    chart.showFeatures([...kept.slice(-(MAX_PANELS - 1)), Number(picker.value)]);
    picker.value = "";
  });
  document.getElementById("left-out").textContent = data.left_out;
}

start().catch((error) => {
  const failure = document.getElementById("failure");
  failure.hidden = false;
  failure.textContent = `The chart cannot be shown: ${error.message}.`;
  console.error(error);
});
