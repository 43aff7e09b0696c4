// The list of alarms: sorted by any column, a click shows the alarm and its features in the chart.

const SHOWN_AT_FIRST = 25;
const ROWS_AT_ONCE = 100; // made in one go, so that a long list does not hold up the page

class AlarmList {
  constructor(chart, data) {
    this.chart = chart;
    this.data = data;
    this.table = document.getElementById("alarm-table");
    this.body = this.table.tBodies[0];
    this.key = "start";
    this.sign = 1;
    this.isLong = false;
    this.isSingle = false;
    const singles = document.getElementById("singles");
    document.getElementById("alarm-tools").hidden = data.num_alarms === data.num_groups;
    singles.addEventListener("change", () => {
      this.isSingle = singles.checked;
      this.isLong = false;
      this.render();
    });
    this.more = document.getElementById("show-all");
    this.more.addEventListener("click", () => {
      this.isLong = true;
      this.render();
    });
    for (const heading of this.table.tHead.querySelectorAll("[data-key]")) {
      heading.firstElementChild.addEventListener("click", () => this.sortBy(heading.dataset.key));
    }
    chart.onNeighbour = (direction) => this.showNeighbour(direction);
    this.render();
  }

  get alarms() {
    return this.isSingle ? this.data.alarms : this.data.groups;
  }

  sortBy(key) {
    const isText = key === "start" || key === "end";
    this.sign = this.key === key ? -this.sign : isText ? 1 : -1;
    this.key = key;
    this.render();
  }

  render() {
    const { key, sign } = this;
    const order = [...this.alarms].sort((a, b) => sign * (a[key] - b[key]) || a.start - b.start);
    const shown = this.isLong ? order : order.slice(0, SHOWN_AT_FIRST);
    this.shown = shown;
    this.body.replaceChildren();
    this.fill(shown);
    for (const heading of this.table.tHead.querySelectorAll("[data-key]")) {
      const isSorted = heading.dataset.key === key;
      if (isSorted) heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      else heading.removeAttribute("aria-sort");
    }
    this.more.hidden = shown.length === order.length;
    this.more.textContent = `Show all ${grouped(order.length)} (${grouped(order.length - shown.length)} more)`;
    this.tell(order.length);
  }

  /** Adds rows in portions; a list that is no longer wanted stops. */
  fill(alarms) {
    if (this.shown !== alarms) return;
    const from = this.body.rows.length;
    this.body.append(...alarms.slice(from, from + ROWS_AT_ONCE).map((alarm) => this.makeRow(alarm)));
    if (this.body.rows.length < alarms.length) setTimeout(() => this.fill(alarms), 0);
  }

  tell(numListed) {
    const { num_alarms: numAlarms, num_groups: numGroups } = this.data;
    const total = this.isSingle ? numAlarms : numGroups;
    const text = document.getElementById("alarm-text");
    this.table.hidden = numAlarms === 0;
    if (!numAlarms) {
      text.textContent = "None: no score reached the threshold.";
      return;
    }
    const kind = this.isSingle
      ? `${grouped(numAlarms)} alarms, each a run of alarmed rows.`
      : `${grouped(numAlarms)} ${numAlarms === 1 ? "alarm" : "alarms"} in ${grouped(numGroups)} ` +
        `${numGroups === 1 ? "group" : "groups"}; those with at most half a window between them are one group, ` +
        "with the features of its highest peak.";
    const rest = total > numListed ? ` Listed are the ${grouped(numListed)} with the highest peaks; ${grouped(total - numListed)} with lower peaks are left out.` : "";
    text.textContent = `${kind}${rest} Click one to see it in the chart with its features.`;
  }

  makeRow(alarm) {
    const row = element("tr", { "data-start": alarm.start });
    const times = alarm.times || [`row ${grouped(alarm.start)}`, `row ${grouped(alarm.end - 1)}`];
    const button = element("button", { type: "button", class: "link", "aria-label": `Show the alarm of ${times[0]} in the chart` }, times[0]);
    const cell = (label, kind = "") => row.appendChild(element("td", { "data-label": label, class: kind }));
    const startCell = cell("Start");
    startCell.append(button);
    const endCell = cell("End");
    endCell.textContent = times[1];
    if (alarm.times) {
      startCell.append(element("small", {}, `row ${grouped(alarm.start)}`));
      endCell.append(element("small", {}, `row ${grouped(alarm.end - 1)}`));
    }
    const length = cell("Rows", "number");
    length.textContent = grouped(alarm.length);
    if (alarm.count > 1) length.append(element("small", {}, `${grouped(alarm.count)} alarms`));
    cell("Peak score", "number").textContent = significant(alarm.peak);
    if (alarm.hits !== null) {
      cell("True event", "with-truth").append(element("span", { class: alarm.hits ? "yes" : "no" }, alarm.hits ? "yes" : "no"));
    }
    cell("Top features", "features").append(...alarm.top.map((top) => this.makeFeature(top)));
    row.addEventListener("click", () => this.show(alarm));
    if (this.chart.chosen === alarm) row.setAttribute("aria-current", "true");
    return row;
  }

  makeFeature([index, share, value, mean]) {
    const part = element("div", { class: "feature" });
    const percent = Math.round(100 * share);
    const bar = element("span", { class: "bar", "aria-hidden": "true" });
    bar.append(element("i"));
    bar.firstElementChild.style.width = `${percent}%`;
    part.append(
      bar,
      element("span", { class: "share" }, `${percent} %`),
      element("bdi", { class: "name" }, this.data.features[index].name),
      element("span", { class: "value" }, value === null ? "missing" : significant(value)),
      element("span", { class: "quiet" }, `mean ${significant(mean)}`),
    );
    return part;
  }

  show(alarm) {
    const { chart } = this;
    chart.chosen = alarm;
    const room = Math.max(chart.data.window_size, alarm.end - alarm.start);
    chart.setView(alarm.start - room, alarm.end + room);
    chart.showFeatures(alarm.top.map((top) => top[0]));
    for (const row of this.body.rows) {
      if (Number(row.dataset.start) === alarm.start) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
    const isCalm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    const place = chart.stack.getBoundingClientRect();
    if (place.top < 0 || place.top > window.innerHeight / 2) {
      document.getElementById("scores").scrollIntoView({ behavior: isCalm ? "auto" : "smooth", block: "start" });
    }
  }

  showNeighbour(direction) {
    const { alarms, chart } = this;
    if (!alarms.length) return;
    const { start, end } = chart.view;
    const isSeen = chart.chosen && chart.chosen.start >= start && chart.chosen.start < end;
    const here = isSeen ? chart.chosen.start : (start + end) / 2;
    const later = alarms.findIndex((alarm) => alarm.start > here);
    const count = alarms.length;
    let index = later < 0 ? count : later;
    if (direction < 0) index = alarms.findIndex((alarm) => alarm.start >= here);
    if (direction < 0) index = (index < 0 ? count : index) - 1;
    this.show(alarms[Math.max(0, Math.min(count - 1, index))]);
  }
}
