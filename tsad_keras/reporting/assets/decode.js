// Arrays out of the page's data: base64 of zlib of byte planes, as packing.py wrote them.

const MISSING = -2147483648;
const BLOCK = 128; // rows whose extremes are kept, so that a million rows draw as fast as a thousand

async function unpack(text) {
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = characters.charCodeAt(i);
  const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(inflated).arrayBuffer());
  const count = planes.length / 4;
  const values = new Uint8Array(planes.length);
  for (let plane = 0; plane < 4; plane++) {
    const offset = plane * count;
    for (let i = 0; i < count; i++) values[4 * i + plane] = planes[offset + i];
  }
  return values.buffer;
}

/** Values with the extremes of their blocks; NaN is a missing value. */
class Series {
  constructor(values) {
    this.values = values;
    const numBlocks = Math.ceil(values.length / BLOCK);
    this.lows = new Float64Array(numBlocks).fill(Infinity);
    this.highs = new Float64Array(numBlocks).fill(-Infinity);
    for (let i = 0; i < values.length; i++) {
      const value = values[i], block = (i / BLOCK) | 0;
      if (value < this.lows[block]) this.lows[block] = value;
      if (value > this.highs[block]) this.highs[block] = value;
    }
  }

  /** Lowest and highest value of rows [start, end); [Infinity, -Infinity] if all are missing. */
  extremes(start, end) {
    let low = Infinity, high = -Infinity;
    start = Math.max(0, Math.floor(start));
    end = Math.min(this.values.length, Math.ceil(end));
    let i = start;
    while (i < end) {
      if (i % BLOCK === 0 && i + BLOCK <= end) {
        const block = i / BLOCK;
        if (this.lows[block] < low) low = this.lows[block];
        if (this.highs[block] > high) high = this.highs[block];
        i += BLOCK;
      } else {
        const value = this.values[i];
        if (value < low) low = value;
        if (value > high) high = value;
        i++;
      }
    }
    return [low, high];
  }
}

async function scoreSeries(text) {
  return new Series(new Float32Array(await unpack(text)));
}

async function featureSeries(feature) {
  const numbers = new Int32Array(await unpack(feature.data));
  const values = new Float64Array(numbers.length);
  for (let i = 0; i < values.length; i++) {
    values[i] = numbers[i] === MISSING ? NaN : feature.low + feature.step * numbers[i];
  }
  return new Series(values);
}

/** Runs of rows: sorted `starts` and `ends` (exclusive). */
async function readRuns(packed) {
  if (!packed) return null;
  return {
    starts: new Int32Array(await unpack(packed.starts)),
    ends: new Int32Array(await unpack(packed.ends)),
  };
}

/** Index of the first item above `value` in a sorted array. */
function firstAbove(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

function inRuns(runs, row) {
  if (!runs) return false;
  const index = firstAbove(runs.starts, row) - 1;
  return index >= 0 && row < runs.ends[index];
}
