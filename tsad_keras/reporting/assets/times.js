// Rows, their times, and how both are written.

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const DATE_STEPS = [
  1, 10, 100, SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE,
  30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY,
  30 * DAY, 90 * DAY, 365 * DAY,
];

function niceStep(rough) {
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const factor = [1, 2, 5, 10].find((candidate) => candidate * power >= rough * 0.999);
  return factor * power;
}

function significant(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(digits - 1).replace(/\.?0+e/, "e");
  return String(Number(value.toPrecision(Math.max(digits, size >= 1 ? Math.floor(Math.log10(size)) + 1 : digits))));
}

const grouped = (value) => Math.round(value).toLocaleString("en-US");

/** The time axis: rows count from 0; times are numbers or milliseconds since 1970. */
class Clock {
  constructor(kind, runs, times, numRows) {
    Object.assign(this, { kind, runs, times, numRows });
    if (runs) {
      this.firstRows = runs.map((run) => run[0]);
      this.firstTimes = runs.map((run) => run[1]);
    }
  }

  static async read(packed, numRows) {
    const times = packed.data ? new Float64Array(await unpack(packed.data)) : null;
    return new Clock(packed.kind, packed.runs || null, times, numRows);
  }

  time(row) {
    if (this.kind === "row") return row;
    if (this.times) return this.times[Math.max(0, Math.min(this.numRows - 1, Math.round(row)))];
    const run = this.runs[Math.max(0, firstAbove(this.firstRows, row) - 1)];
    return run[1] + (row - run[0]) * run[2];
  }

  /** The row of a time, fractional between rows; times in a gap lie at its end. */
  row(time) {
    if (this.kind === "row") return time;
    if (this.times) return firstAbove(this.times, time - 1e-9);
    const index = Math.max(0, firstAbove(this.firstTimes, time) - 1);
    const [row, start, step] = this.runs[index];
    const next = index + 1 < this.runs.length ? this.runs[index + 1][0] : this.numRows;
    return step ? Math.min(next, row + (time - start) / step) : row;
  }

  /** Ticks `[row, text]` of the visible part, at most `most`. */
  ticks(start, end, most) {
    const low = this.time(Math.max(0, start)), high = this.time(Math.min(this.numRows - 1, end));
    const rough = (high - low) / Math.max(1, most);
    if (!(rough > 0)) return [[start, this.text(Math.floor(start))]];
    let step = this.kind === "date" ? DATE_STEPS.find((each) => each >= rough) : niceStep(rough);
    if (this.kind === "row") step = Math.max(1, step);
    step = step || Math.ceil(rough / (365 * DAY)) * 365 * DAY;
    const ticks = [];
    for (let time = Math.ceil(low / step) * step; time <= high && ticks.length < 100; time += step) {
      ticks.push([this.row(time), this.shortText(time, step)]);
    }
    return ticks;
  }

  shortText(time, step) {
    if (this.kind === "row") return grouped(time);
    if (this.kind === "number") return significant(time, 8);
    const text = new Date(time).toISOString();
    if (step >= DAY) return text.slice(0, 10);
    if (step >= MINUTE) return text.slice(5, 16).replace("T", " ");
    return step >= SECOND ? text.slice(11, 19) : text.slice(14, 23);
  }

  text(row) {
    if (this.kind === "row") return `row ${grouped(row)}`;
    const time = this.time(row);
    if (this.kind === "number") return significant(time, 12);
    const text = new Date(time).toISOString().replace("T", " ");
    return text.slice(0, text.endsWith("000Z") ? 19 : 23);
  }
}
