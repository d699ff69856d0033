// Stands in for the native addon of aws-lambda-ric, so that no C++ compiler is needed. Where the built addon
// is present it is used. The client calls next(), done(id, body) and error(id, body, cause); the last two
// return at once, so the following next() waits until they were sent: one socket keeps the order.
'use strict';

const http = require('node:http');
const Module = require('node:module');

const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1, noDelay: true });
const base = '/2018-06-01/runtime/invocation/';
let unsent = Promise.resolve();

function call(method, path, headers, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, agent, method, path: base + path, headers }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        resolve({ headers: response.headers, bodyJson: Buffer.concat(chunks).toString('utf8') });
      });
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function post(path, body, headers) {
  const bytes = Buffer.from(body);
  const all = { 'Content-Type': 'application/json', 'Content-Length': bytes.length, ...headers };
  unsent = call('POST', path, all, bytes);
}

const standIn = {
  async next() {
    await unsent;
    const event = await call('GET', 'next', {});
    event.headers['lambda-runtime-deadline-ms'] = Number(event.headers['lambda-runtime-deadline-ms']);
    return event;
  },
  done(id, body) {
    post(`${id}/response`, body, {});
  },
  error(id, body, cause) {
    // A header holds no line breaks, and a long cause is dropped as the addon drops it.
    const headers = cause && cause.length < 1024 * 1024 ? { 'Lambda-Runtime-Function-XRay-Error-Cause': cause } : {};
    post(`${id}/error`, body, headers);
  },
};

const load = Module._load;
Module._load = function (request, ...rest) {
  if (!request.endsWith('rapid-client.node')) return load.call(this, request, ...rest);
  try {
    return load.call(this, request, ...rest);
  } catch {
    return standIn;
  }
};
