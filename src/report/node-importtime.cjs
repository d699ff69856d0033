// Times what is required, and writes it as Python's importtime does: own and whole microseconds, name, a module after
// those that it requires. Loaded with `--require` before anything else.
'use strict';

const Module = require('node:module');
const path = require('node:path');

const inside = [];
const load = Module._load;

function name(request, parent) {
  let file = request;
  try {
    file = Module._resolveFilename(request, parent);
  } catch {
    return request;
  }
  const at = file.lastIndexOf(`${path.sep}node_modules${path.sep}`);
  if (at < 0) return path.isAbsolute(file) ? path.basename(file).replace(/\.[cm]?js$/, '') : file;
  const parts = file.slice(at + 14).split(path.sep);
  return parts[0].startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}

Module._load = function timed(request, parent, ...rest) {
  const known = parent && parent.children ? parent.children.length : 0;
  const frame = { below: 0n };
  inside.push(frame);
  const start = process.hrtime.bigint();
  try {
    return load.call(this, request, parent, ...rest);
  } finally {
    const whole = process.hrtime.bigint() - start;
    inside.pop();
    const above = inside[inside.length - 1];
    if (above) above.below += whole;
    // What was loaded before takes next to nothing and would only be noise.
    if (whole > 200000n || (parent && parent.children && parent.children.length > known)) {
      const column = (time) => String(time / 1000n).padStart(9);
      const indent = '  '.repeat(inside.length);
      process.stderr.write(`import time: ${column(whole - frame.below)} | ${column(whole)} | ${indent}${name(request, parent)}\n`);
    }
  }
};
