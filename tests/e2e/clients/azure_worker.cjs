// A complete language worker of one file, without any package: the protocol by hand, so that it can be broken in every
// way. What it does with a call is in the name of the function.
'use strict';

const http2 = require('http2');

const options = {};
for (let at = 2; at + 1 < process.argv.length; at += 2) options[process.argv[at]] = process.argv[at + 1];

// Protocol buffers, as far as needed.
function varint(number) {
  const bytes = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 128);
  }
}
const number = (field, value) => Buffer.concat([varint(field * 8), varint(value)]);
const bytes = (field, value) => {
  const body = Buffer.isBuffer(value) ? value : Buffer.from(value);
  return Buffer.concat([varint(field * 8 + 2), varint(body.length), body]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

function fields(buffer) {
  const found = {};
  let at = 0;
  const read = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = buffer[at++];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < buffer.length) {
    const key = read();
    let value;
    if (key % 8 === 2) {
      const length = read();
      value = buffer.subarray(at, at += length);
    } else if (key % 8 === 1) value = buffer.subarray(at, at += 8);
    else value = read();
    (found[Math.floor(key / 8)] ??= []).push(value);
  }
  return found;
}

const session = http2.connect(options['--functions-uri']);
const stream = session.request({
  ':method': 'POST', ':path': '/AzureFunctionsRpcMessages.FunctionRpc/EventStream',
  'content-type': 'application/grpc', te: 'trailers',
}, { endStream: false });

function say(...parts) {
  const body = Buffer.concat([bytes(1, options['--functions-request-id']), ...parts]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  stream.write(Buffer.concat([head, body]));
}

const good = (field) => message(field, number(4, 1));
const names = new Map();

function respond(id, text) {
  say(message(5, bytes(1, id), good(3), message(4, bytes(1, text))));
}

function log(id, category, level, text, kind) {
  say(message(2, bytes(1, id), bytes(2, category), number(3, level), bytes(4, text), number(8, kind)));
}

const acts = {
  good: (id) => respond(id, `good ${process.pid}`),
  exits: () => process.exit(7),
  dies: () => process.kill(process.pid, 'SIGKILL'),
  hangs: () => {},
  stops: () => process.kill(process.pid, 'SIGSTOP'),
  ends: () => stream.end(),
  garbage: () => stream.write(Buffer.from([0, 0, 0, 0, 4, 255, 255, 255, 255])),
  huge: () => stream.write(Buffer.from([0, 255, 255, 255, 255, 1, 2, 3])),
  noframe: () => session.destroy(),
  stranger: (id) => {
    respond('another', 'wrong');
    say();
    say(bytes(99, 'what nobody knows'));
    respond(id, 'right');
  },
  cancelled: (id) => say(message(5, bytes(1, id), message(3, number(4, 2)))),
  failed: (id) => say(message(5, bytes(1, id), message(3, number(4, 0), message(2, bytes(2, 'ValueError: no such flower'))))),
  logs: (id) => {
    log(id, 'Function.logs.User', 2, 'told by the stream', 0);
    log(id, 'Function.logs.User', 1, 'too small to be told', 0);
    log(id, 'Worker.Own', 2, 'the worker of itself', 1);
    console.log('LanguageWorkerConsoleLog for the host');
    respond(id, 'logged');
  },
};

function hear(content) {
  if (content[17]) {
    if (process.env.BEGINS === 'garbage') acts.garbage();
    else if (process.env.BEGINS !== 'never') say(message(16, good(3)));
  } else if (content[29]) say(message(30, good(2), number(3, 1)));
  else if (content[8]) {
    const request = fields(content[8][0]);
    const name = fields(request[2][0])[4][0].toString();
    const id = request[1][0].toString();
    names.set(id, name);
    say(message(9, bytes(1, id), good(2)));
  } else if (content[4]) {
    const request = fields(content[4][0]);
    acts[names.get(request[2][0].toString())](request[1][0].toString());
  } else if (content[14]) process.exit(0);
}

let waiting = Buffer.alloc(0);
stream.on('data', (piece) => {
  waiting = Buffer.concat([waiting, piece]);
  while (waiting.length >= 5 && waiting.length >= 5 + waiting.readUInt32BE(1)) {
    const end = 5 + waiting.readUInt32BE(1);
    hear(fields(waiting.subarray(5, end)));
    waiting = waiting.subarray(end);
  }
});
stream.on('error', () => {});
session.on('error', () => {});
// Without a host it waits to be ended: that is the host's affair.
require('net').createServer().listen(0, '127.0.0.1');
say(message(20, bytes(2, options['--functions-worker-id'])));
