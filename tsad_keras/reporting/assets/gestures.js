// Pointer, wheel and keyboard on the chart and on the overview.

const MINIMUM_DRAG = 5; // pixels; less is a click
const EDGE = 7; // pixels beside an edge of the overview's window that count as the edge

function addGestures(chart) {
  const { stack } = chart;
  const crosshair = document.getElementById("crosshair");
  const selection = document.getElementById("selection");
  const pointers = new Map(); // id: x
  let anchor = null; // where a drag began, in pixels
  let pinch = null; // rows under two fingers when both were down

  const position = (event) => event.clientX - stack.getBoundingClientRect().left;
  const rowAt = (x) => {
    const { box, view } = chart.scale;
    return view.start + ((Math.min(Math.max(x, box.left), box.left + box.width) - box.left) / box.width) * (view.end - view.start);
  };
  const place = (target, left, width) => {
    target.hidden = false;
    target.style.left = `${left}px`;
    if (width !== undefined) target.style.width = `${width}px`;
  };

  stack.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("button")) return;
    pointers.set(event.pointerId, position(event));
    if (stack.setPointerCapture) stack.setPointerCapture(event.pointerId);
    if (pointers.size === 2) {
      anchor = null;
      selection.hidden = true;
      pinch = [...pointers.values()].map(rowAt);
    } else anchor = position(event);
  });

  stack.addEventListener("pointermove", (event) => {
    const x = position(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, x);
    if (pinch && pointers.size === 2) return applyPinch(chart, pinch, [...pointers.values()]);
    const { box } = chart.scale;
    const inside = x >= box.left && x <= box.left + box.width;
    crosshair.hidden = !inside;
    chart.point(inside ? Math.min(chart.numRows - 1, Math.floor(rowAt(x))) : null);
    if (inside) place(crosshair, x);
    if (anchor !== null && Math.abs(x - anchor) >= MINIMUM_DRAG) {
      const [left, right] = [anchor, x].sort((a, b) => a - b).map((each) => Math.min(Math.max(each, box.left), box.left + box.width));
      place(selection, left, right - left);
    }
  });

  const finish = (event, isDone) => {
    pointers.delete(event.pointerId);
    if (pointers.size < 2) pinch = null;
    if (anchor !== null && isDone && Math.abs(position(event) - anchor) >= MINIMUM_DRAG) {
      const [start, end] = [anchor, position(event)].map(rowAt).sort((a, b) => a - b);
      chart.setView(start, end);
    }
    anchor = null;
    selection.hidden = true;
  };
  stack.addEventListener("pointerup", (event) => finish(event, true));
  stack.addEventListener("pointercancel", (event) => finish(event, false));
  stack.addEventListener("pointerleave", () => {
    crosshair.hidden = true;
    chart.point(null);
  });
  stack.addEventListener("dblclick", (event) => {
    if (!event.target.closest("button")) chart.reset();
  });
  stack.addEventListener("wheel", (event) => onWheel(chart, event, rowAt(position(event))), { passive: false });
  stack.addEventListener("keydown", (event) => onKey(chart, event));
  addOverviewGestures(chart);
}

/** Zooms so that the rows first touched stay under the two fingers. */
function applyPinch(chart, rows, pixels) {
  const { box } = chart.scale;
  const spread = (pixels[1] - pixels[0]) / (rows[1] - rows[0] || 1e-9);
  if (!(spread > 0)) return;
  const start = rows[0] - (pixels[0] - box.left) / spread;
  chart.setView(start, start + box.width / spread);
}

function onWheel(chart, event, row) {
  const { view, numRows } = chart;
  const isWhole = view.end - view.start >= numRows;
  const across = event.shiftKey && !event.deltaX ? event.deltaY : event.deltaX;
  if (Math.abs(across) > Math.abs(event.deltaY) || (event.shiftKey && across)) {
    if (isWhole) return;
    event.preventDefault();
    chart.move(Math.sign(across) * 0.08);
    return;
  }
  if (isWhole && event.deltaY > 0) return; // nothing to zoom out of: let the page scroll
  event.preventDefault();
  const pixels = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
  chart.zoom(Math.exp(Math.max(-200, Math.min(200, pixels)) * 0.003), row);
}

function onKey(chart, event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("button")) return;
  const actions = {
    ArrowLeft: () => chart.move(-0.25),
    ArrowRight: () => chart.move(0.25),
    ArrowUp: () => chart.zoom(0.5),
    ArrowDown: () => chart.zoom(2),
    "+": () => chart.zoom(0.5),
    "=": () => chart.zoom(0.5),
    "-": () => chart.zoom(2),
    Home: () => chart.setView(0, chart.view.end - chart.view.start),
    End: () => chart.setView(chart.numRows - (chart.view.end - chart.view.start), chart.numRows),
    0: () => chart.reset(),
    Escape: () => chart.reset(),
    n: () => chart.onNeighbour(1),
    p: () => chart.onNeighbour(-1),
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

function addOverviewGestures(chart) {
  const { overview } = chart;
  let drag = null; // { kind, row, view } while a button is down
  const locate = (event) => {
    const { box } = chart.overviewScale;
    const x = event.clientX - overview.getBoundingClientRect().left;
    return { x, row: ((x - box.left) / box.width) * chart.numRows };
  };
  const kindAt = (x, row) => {
    const { view, overviewScale } = chart;
    if (view.end - view.start >= chart.numRows) return "new";
    if (Math.abs(x - overviewScale.edge(view.start)) < EDGE) return "start";
    if (Math.abs(x - overviewScale.edge(view.end)) < EDGE) return "end";
    return row > view.start && row < view.end ? "move" : "new";
  };
  overview.addEventListener("pointerdown", (event) => {
    const { x, row } = locate(event);
    drag = { kind: kindAt(x, row), x, row, view: { ...chart.view } };
    overview.setPointerCapture(event.pointerId);
  });
  overview.addEventListener("pointermove", (event) => {
    const { x, row } = locate(event);
    if (!drag) {
      overview.style.cursor = { start: "ew-resize", end: "ew-resize", move: "grab", new: "crosshair" }[kindAt(x, row)];
      return;
    }
    const { start, end } = drag.view;
    if (drag.kind === "move") chart.setView(start + row - drag.row, end + row - drag.row);
    else if (drag.kind === "start") chart.setView(Math.min(row, end - chart.minimum), end);
    else if (drag.kind === "end") chart.setView(start, Math.max(row, start + chart.minimum));
    else if (Math.abs(x - drag.x) >= MINIMUM_DRAG) chart.setView(Math.min(row, drag.row), Math.max(row, drag.row));
  });
  overview.addEventListener("pointerup", (event) => {
    const { x, row } = locate(event);
    if (drag && drag.kind === "new" && Math.abs(x - drag.x) < MINIMUM_DRAG) {
      const half = (chart.view.end - chart.view.start) / 2;
      chart.setView(row - half, row + half); // a click beside the window centres it there
    }
    drag = null;
  });
  overview.addEventListener("pointercancel", () => {
    drag = null;
  });
  overview.addEventListener("dblclick", () => chart.reset());
}
