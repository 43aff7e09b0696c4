// The chart: score, panels of raw values and overview, all over one view of the rows.

const MAX_PANELS = 6;
const SCORE_HEIGHT = 280, PANEL_HEIGHT = 96, OVERVIEW_HEIGHT = 54, TIME_AXIS = 20, LANE = 7;

class Chart {
  constructor(data, parts) {
    Object.assign(this, { data, ...parts }); // clock, scores, alarms, truth: see main.js
    this.numRows = data.num_rows;
    this.view = { start: 0, end: this.numRows };
    this.minimum = Math.min(this.numRows, 10);
    this.stack = document.getElementById("stack");
    this.canvas = document.getElementById("score");
    this.overview = document.getElementById("overview");
    this.panels = new Map(); // feature index: { series, canvas, value }
    this.chosen = null; // the alarm that was clicked
    this.numDraws = 0;
    const [low, high] = this.scores.extremes(0, this.numRows);
    this.lowestPositive = Math.max(high * 1e-6, low > 0 ? low : 0);
    this.logarithmic = low > 0 && high > 30 * data.threshold;
    const box = document.getElementById("logarithmic");
    box.disabled = !(high > 0);
    box.checked = this.logarithmic;
    box.addEventListener("change", () => {
      this.logarithmic = box.checked;
      this.redraw();
    });
    new ResizeObserver(() => this.redraw()).observe(this.stack);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    for (const [event, isPrinting] of [["beforeprint", true], ["afterprint", false]]) {
      window.addEventListener(event, () => {
        document.documentElement.classList.toggle("printing", isPrinting);
        this.draw();
      });
    }
  }

  setView(start, end) {
    const span = Math.min(this.numRows, Math.max(this.minimum, end - start));
    const middle = (start + end) / 2;
    start = Math.min(this.numRows - span, Math.max(0, middle - span / 2));
    this.view = { start, end: start + span };
    this.redraw();
  }

  zoom(factor, row = (this.view.start + this.view.end) / 2) {
    const { start, end } = this.view;
    const span = Math.min(this.numRows, Math.max(this.minimum, (end - start) * factor));
    const left = row - ((row - start) / (end - start)) * span;
    this.setView(left, left + span);
  }

  move(share) {
    const step = share * (this.view.end - this.view.start);
    this.setView(this.view.start + step, this.view.end + step);
  }

  reset() {
    this.setView(0, this.numRows);
  }

  redraw() {
    if (this.isWaiting) return;
    this.isWaiting = true;
    requestAnimationFrame(() => {
      this.isWaiting = false;
      this.draw();
    });
  }

  draw() {
    const colors = palette();
    this.drawScore(colors);
    for (const [index, panel] of this.panels) this.drawPanel(this.data.features[index], panel, colors);
    this.drawOverview(colors);
    this.tell();
    this.stack.dataset.start = Math.round(this.view.start);
    this.stack.dataset.end = Math.round(this.view.end);
    this.stack.dataset.draws = ++this.numDraws;
  }

  scoreRange() {
    const [low, high] = this.scores.extremes(this.view.start, this.view.end);
    const threshold = this.data.threshold;
    const top = Math.max(high, threshold);
    if (this.logarithmic) {
      const bottom = Math.max(this.lowestPositive, Math.min(low, threshold));
      return [bottom / 1.1, Math.max(top, bottom * 1.01) * 1.15];
    }
    const bottom = Math.min(0, low);
    return [bottom, bottom + (top - bottom || 1) * 1.06];
  }

  drawScore(colors) {
    const { context, width, height } = prepare(this.canvas, SCORE_HEIGHT);
    const lanes = this.truth ? 2 : 1;
    const box = { left: LEFT, top: 8, width: width - LEFT - RIGHT, height: height - 8 - TIME_AXIS - lanes * (LANE + 2) - 3 };
    const scale = makeScale(box, this.view, this.scoreRange(), this.logarithmic);
    this.scale = scale;
    const laneTop = box.top + box.height + 3;
    drawValueAxis(context, scale, colors, 5);
    drawTimeAxis(context, scale, colors, this.clock, laneTop + lanes * (LANE + 2));
    drawRuns(context, this.alarms, scale, box.top, box.height, colors["alarm-band"]);
    this.drawTruth(context, scale, colors);
    drawRuns(context, this.alarms, scale, laneTop, LANE, colors.alarm);
    drawRuns(context, this.truth, scale, laneTop + LANE + 2, LANE, colors.truth);
    context.save();
    context.beginPath();
    context.rect(box.left, box.top - 4, box.width, box.height + 6);
    context.clip();
    this.drawChosen(context, scale, colors);
    drawLevel(context, scale, this.data.threshold, colors.threshold, [6, 4]);
    drawLine(context, this.scores, scale, colors.score, 1.4);
    context.restore();
  }

  drawTruth(context, scale, colors) {
    context.globalAlpha = 0.6;
    if (this.truth) drawRuns(context, this.truth, scale, scale.box.top, scale.box.height, hatch(context, colors.truth));
    context.globalAlpha = 1;
  }

  drawChosen(context, scale, colors) {
    if (!this.chosen) return;
    const left = scale.edge(this.chosen.start), right = scale.edge(this.chosen.end);
    context.strokeStyle = colors.alarm;
    context.lineWidth = 1;
    context.strokeRect(left, scale.box.top - 2, Math.max(2, right - left), scale.box.height + 4);
  }

  drawPanel(feature, panel, colors) {
    const { context, width, height } = prepare(panel.canvas, PANEL_HEIGHT);
    const box = { left: LEFT, top: 6, width: width - LEFT - RIGHT, height: height - 12 };
    let [low, high] = panel.series.extremes(this.view.start, this.view.end);
    if (low > high) [low, high] = [feature.mean - 1, feature.mean + 1];
    const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
    const scale = makeScale(box, this.view, [low - room, high + room], false);
    drawValueAxis(context, scale, colors, 3);
    drawRuns(context, this.alarms, scale, box.top, box.height, colors["alarm-band"]);
    this.drawTruth(context, scale, colors);
    context.save();
    context.beginPath();
    context.rect(box.left, 0, box.width, height);
    context.clip();
    this.drawChosen(context, scale, colors);
    drawLevel(context, scale, feature.mean, colors.quiet, [2, 3]);
    drawLine(context, panel.series, scale, colors.feature, 1.2);
    context.restore();
  }

  drawOverview(colors) {
    const { context, width, height } = prepare(this.overview, OVERVIEW_HEIGHT);
    const whole = { start: 0, end: this.numRows };
    const box = { left: LEFT, top: 4, width: width - LEFT - RIGHT, height: height - 16 };
    let [low, high] = this.scores.extremes(0, this.numRows);
    if (this.logarithmic) low = Math.max(low, this.lowestPositive);
    else low = Math.min(0, low);
    const scale = makeScale(box, whole, [low, high > low ? high : low + 1], this.logarithmic);
    this.overviewScale = scale;
    drawLine(context, this.scores, scale, colors.score, 1);
    drawRuns(context, this.alarms, scale, height - 11, 4, colors.alarm);
    drawRuns(context, this.truth, scale, height - 6, 4, colors.truth);
    const left = scale.edge(this.view.start), right = scale.edge(this.view.end);
    context.fillStyle = colors["accent"];
    context.globalAlpha = 0.13;
    context.fillRect(left, 0, Math.max(3, right - left), height);
    context.globalAlpha = 1;
    context.strokeStyle = colors.accent;
    context.strokeRect(left + 0.5, 0.5, Math.max(3, right - left) - 1, height - 1);
  }

  /** What the view shows, in words. */
  tell() {
    const first = Math.floor(this.view.start), last = Math.min(this.numRows, Math.ceil(this.view.end)) - 1;
    const [, high] = this.scores.extremes(first, last + 1);
    const from = firstAbove(this.alarms.ends, first), to = firstAbove(this.alarms.starts, last);
    const where = this.clock.kind === "row" ? "" : `, ${this.clock.text(first)} to ${this.clock.text(last)}`;
    const count = Math.max(0, to - from);
    const text = `Rows ${grouped(first)} to ${grouped(last)} of ${grouped(this.numRows)}${where}: highest score ` +
      `${significant(high)}, ${grouped(count)} ${count === 1 ? "alarm" : "alarms"}.`;
    document.getElementById("view-text").textContent = text;
    this.canvas.setAttribute("aria-label", `Anomaly score over time. ${text}`);
  }

  /** Shows the raw values of features that are stored, up to MAX_PANELS of them. */
  async showFeatures(indices) {
    const stored = indices.filter((index) => this.data.features[index]?.data).slice(0, MAX_PANELS);
    const wanted = (this.wanted = Symbol("the latest wish"));
    const series = await Promise.all(stored.map((index) => this.featureOf(index)));
    if (this.wanted !== wanted) return; // another wish came while these were decoded
    this.panels.clear();
    const holder = document.getElementById("panels");
    holder.replaceChildren();
    stored.forEach((index, at) => holder.append(this.makePanel(index, series[at])));
    this.draw();
  }

  async featureOf(index) {
    const feature = this.data.features[index];
    feature.series = feature.series || (await featureSeries(feature));
    return feature.series;
  }

  makePanel(index, series) {
    const feature = this.data.features[index];
    const panel = element("div", { class: "panel" });
    const head = element("div", { class: "panel-head" });
    const value = element("span", { class: "value" });
    const close = element("button", { type: "button", class: "close", "aria-label": `Hide ${feature.name}` }, "×");
    close.addEventListener("click", () => this.showFeatures([...this.panels.keys()].filter((each) => each !== index)));
    head.append(element("bdi", { class: "name" }, feature.name), element("span", { class: "quiet" }, `train mean ${significant(feature.mean)}${feature.is_partial ? ", stored around its alarms only" : ""}`), value, close);
    const canvas = element("canvas", { role: "img", "aria-label": `Raw values of ${feature.name}` });
    panel.append(head, canvas);
    this.panels.set(index, { series, canvas, value });
    return panel;
  }

  /** The values under the pointer; null = the pointer has left. */
  point(row) {
    const readout = document.getElementById("readout");
    if (row === null) {
      readout.textContent = "";
      for (const panel of this.panels.values()) panel.value.textContent = "";
      return;
    }
    const time = this.clock.kind === "row" ? "" : ` · ${this.clock.text(row)}`;
    const states = [inRuns(this.alarms, row) ? "alarm" : "", inRuns(this.truth, row) ? "true event" : ""];
    const state = states.filter(Boolean).map((text) => ` · ${text}`).join("");
    readout.textContent = `row ${grouped(row)}${time} · score ${significant(this.scores.values[row])}${state}`;
    for (const panel of this.panels.values()) panel.value.textContent = significant(panel.series.values[row], 5);
  }
}

/** An element with attributes and text; text is never read as markup. */
function element(name, attributes = {}, text = null) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  return made;
}
