// A smaller picture in which each pixel is the average of those that it stands for (a box filter).

const CHANNELS = 4; // red, green, blue, alpha

// `picture` is { width, height, data } with four bytes a pixel. It is never enlarged.
export function shrink(picture, longerSide) {
  const scale = Math.min(1, longerSide / Math.max(picture.width, picture.height));
  const columns = boxes(picture.width, scale);
  const rows = boxes(picture.height, scale);
  const data = new Uint8Array(columns.length * rows.length * CHANNELS);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      data.set(average(picture, row, column), at);
      at += CHANNELS;
    }
  }
  return { width: columns.length, height: rows.length, data };
}

// Cuts `length` pixels into round(length * scale) runs of almost equal length, at least one.
function boxes(length, scale) {
  const count = Math.max(1, Math.round(length * scale));
  return Array.from({ length: count }, (_, i) => ({
    start: Math.floor((i * length) / count),
    end: Math.floor(((i + 1) * length) / count),
  }));
}

function average({ width, data }, row, column) {
  const sums = [0, 0, 0, 0];
  for (let y = row.start; y < row.end; y++) {
    const end = (y * width + column.end) * CHANNELS;
    for (let i = (y * width + column.start) * CHANNELS; i < end; i += CHANNELS) {
      for (let channel = 0; channel < CHANNELS; channel++) sums[channel] += data[i + channel];
    }
  }
  const pixels = (row.end - row.start) * (column.end - column.start);
  return sums.map((sum) => Math.round(sum / pixels));
}
