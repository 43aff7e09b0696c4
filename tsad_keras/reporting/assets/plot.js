// Drawing: a plot is a canvas with one series, its axes, and bands of alarms and true events.

const LEFT = 58, RIGHT = 10;

function palette() {
  const style = getComputedStyle(document.getElementById("stack"));
  const names = ["ink", "quiet", "grid", "score", "threshold", "alarm", "alarm-band", "truth", "feature", "panel", "accent"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

/** Sizes a canvas for the screen's pixels and returns its cleared context, in CSS pixels. */
function prepare(canvas, height) {
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const width = Math.max(120, canvas.clientWidth || canvas.parentElement.clientWidth);
  const [columns, rows] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== columns || canvas.height !== rows) {
    canvas.width = columns;
    canvas.height = rows;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  return { context, width, height };
}

/** Where rows and values lie: a box in pixels, a view in rows, a range of values. */
function makeScale(box, view, range, logarithmic) {
  const [low, high] = logarithmic ? range.map(Math.log10) : range;
  const perRow = box.width / (view.end - view.start);
  return {
    box, view, range, logarithmic,
    x: (row) => box.left + (row + 0.5 - view.start) * perRow,
    edge: (row) => box.left + (row - view.start) * perRow,
    y: (value) => {
      const raised = logarithmic ? Math.log10(Math.max(value, range[0])) : value;
      return box.top + box.height * (1 - (raised - low) / (high - low));
    },
  };
}

/** One line: every row if there are few, else lowest and highest value of each pixel column. */
function drawLine(context, series, scale, color, width) {
  const { box, view } = scale;
  const first = Math.max(0, Math.floor(view.start)), last = Math.min(series.values.length, Math.ceil(view.end));
  context.strokeStyle = context.fillStyle = color;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.beginPath();
  let isDown = false;
  const put = (x, value) => {
    if (isDown) context.lineTo(x, scale.y(value));
    else context.moveTo(x, scale.y(value));
    isDown = true;
  };
  if (last - first <= 2 * box.width) {
    for (let row = first; row < last; row++) {
      if (Number.isNaN(series.values[row])) isDown = false;
      else put(scale.x(row), series.values[row]);
    }
  } else {
    const perColumn = (view.end - view.start) / box.width;
    for (let column = 0; column < box.width; column++) {
      const start = Math.floor(view.start + column * perColumn);
      const [low, high] = series.extremes(start, Math.max(start + 1, Math.floor(view.start + (column + 1) * perColumn)));
      if (low > high) isDown = false;
      else {
        put(box.left + column + 0.5, high);
        if (high > low) put(box.left + column + 0.5, low);
      }
    }
  }
  context.stroke();
  if (box.width / (last - first) > 9) {
    for (let row = first; row < last; row++) {
      if (!Number.isNaN(series.values[row])) context.fillRect(scale.x(row) - 1.5, scale.y(series.values[row]) - 1.5, 3, 3);
    }
  }
}

/** Bands of runs, those that share a pixel joined, so that there are never more than columns. */
function drawRuns(context, runs, scale, top, height, color) {
  if (!runs) return;
  const { box, view } = scale;
  const right = box.left + box.width;
  let from = null, to = null;
  const flush = () => {
    if (from !== null) context.fillRect(from, top, Math.max(1.5, to - from), height);
  };
  context.fillStyle = color;
  for (let i = firstAbove(runs.ends, view.start); i < runs.starts.length && runs.starts[i] < view.end; i++) {
    const left = Math.max(box.left, scale.edge(runs.starts[i])), end = Math.min(right, scale.edge(runs.ends[i]));
    if (from !== null && left <= to + 1) to = Math.max(to, end);
    else {
      flush();
      [from, to] = [left, end];
    }
  }
  flush();
}

/** Slanted lines for true events, so that an alarm's shade over them stays its own color. */
function hatch(context, color) {
  const tile = document.createElement("canvas");
  tile.width = tile.height = 16; // drawn at half size, for sharp lines on any screen
  const pen = tile.getContext("2d");
  pen.strokeStyle = color;
  pen.lineWidth = 2;
  pen.beginPath();
  for (const shift of [-16, 0, 16]) {
    pen.moveTo(shift - 2, 18);
    pen.lineTo(shift + 18, -2);
  }
  pen.stroke();
  const pattern = context.createPattern(tile, "repeat");
  pattern.setTransform(new DOMMatrix().scale(0.5));
  return pattern;
}

function valueTicks(range, logarithmic, most) {
  const ticks = [];
  if (logarithmic) {
    const decades = Math.ceil(Math.log10(range[1] / range[0]));
    const every = Math.max(1, Math.ceil(decades / most));
    const factors = decades <= 2 ? [1, 2, 5] : [1];
    for (let power = Math.floor(Math.log10(range[0])); Math.pow(10, power) <= range[1]; power += every) {
      for (const factor of factors) ticks.push(factor * Math.pow(10, power));
    }
    return ticks.filter((tick) => tick >= range[0] * 0.999 && tick <= range[1] * 1.001);
  }
  const step = niceStep((range[1] - range[0]) / most);
  for (let i = Math.ceil(range[0] / step); i * step <= range[1] + 1e-9 * step && ticks.length < 20; i++) ticks.push(i * step);
  return ticks;
}

function drawValueAxis(context, scale, colors, most) {
  const { box } = scale;
  context.textAlign = "right";
  context.textBaseline = "middle";
  context.lineWidth = 1;
  for (const tick of valueTicks(scale.range, scale.logarithmic, most)) {
    const y = Math.round(scale.y(tick)) + 0.5;
    context.fillStyle = colors.grid;
    context.fillRect(box.left, y - 0.5, box.width, 1);
    context.fillStyle = colors.quiet;
    context.fillText(significant(tick, 5), box.left - 7, y);
  }
}

function drawTimeAxis(context, scale, colors, clock, top) {
  const { box, view } = scale;
  context.textAlign = "center";
  context.textBaseline = "top";
  let lastRight = -Infinity;
  for (const [row, text] of clock.ticks(view.start, view.end, box.width / 105)) {
    const x = scale.x(row), half = context.measureText(text).width / 2;
    if (x < box.left || x > box.left + box.width) continue;
    context.fillStyle = colors.grid;
    context.fillRect(Math.round(x), box.top, 1, top - box.top);
    const middle = Math.min(Math.max(x, half + 2), box.left + box.width + RIGHT - half - 2);
    if (middle - half < lastRight + 12) continue;
    lastRight = middle + half;
    context.fillStyle = colors.quiet;
    context.fillText(text, middle, top + 4);
  }
}

function drawLevel(context, scale, value, color, dash) {
  if (value < scale.range[0] || value > scale.range[1]) return;
  context.strokeStyle = color;
  context.lineWidth = 1.5;
  context.setLineDash(dash);
  context.beginPath();
  context.moveTo(scale.box.left, scale.y(value));
  context.lineTo(scale.box.left + scale.box.width, scale.y(value));
  context.stroke();
  context.setLineDash([]);
}
