// Stands where the vendor's Node worker stands: one stream to the host, and the module `@azure/functions-core` that
// the vendor's own library registers functions with.
'use strict';

const crypto = require('crypto');
const fs = require('fs');
const Module = require('module');
const net = require('net');
const path = require('path');
const { pathToFileURL } = require('url');

const options = {};
for (let at = 2; at + 1 < process.argv.length; at += 2) options[process.argv[at]] = process.argv[at + 1];
const packages = createRequire(options['--packages']);
const grpc = packages('@grpc/grpc-js');
const loader = packages('@grpc/proto-loader');

function createRequire(folder) {
  return (name) => require(path.join(folder, name));
}

const VERSION = '3.0.0';
const CAPABILITIES = {
  RawHttpBodyBytes: 'true', RpcHttpTriggerMetadataRemoved: 'true', RpcHttpBodyOnly: 'true',
  IgnoreEmptyValuedRpcHttpHeaders: 'true', UseNullableValueDictionaryForHttp: 'true', WorkerStatus: 'true',
  TypedDataCollection: 'true', HandlesWorkerTerminateMessage: 'true',
};
const functions = new Map();
const hooks = { appStart: [], appTerminate: [], preInvocation: [], postInvocation: [], log: [] };
const appHookData = {};
let model;

class Disposable {
  constructor(act) { this.dispose = act; }
  static from(...all) { return new Disposable(() => all.forEach((one) => one.dispose())); }
}

// What is logged becomes a line of the console: there it keeps its order with what is printed.
function log(level, category, ...args) {
  if (category === 'system' && !['warning', 'error', 'critical'].includes(level)) return;
  write(args.join(' '));
}

// Many calls are under way at a time: a line says which it is of, where that is known.
function write(text, invocation) {
  const line = invocation ? `\x1f${invocation}\x1f${text.replaceAll('\n', '\x1e')}` : text;
  process.stderr.write(`${line}\n`);
}

const core = {
  version: VERSION,
  hostVersion: undefined,
  Disposable,
  log,
  registerFunction(metadata, callback) {
    if (functions.has(metadata.name)) throw new Error(`a function of the name "${metadata.name}" is there already`);
    const id = crypto.createHash('sha256').update(metadata.name).digest('hex').slice(0, 32);
    const rawBindings = Object.entries(metadata.bindings).map(([name, said]) => JSON.stringify({ ...said, name }));
    functions.set(metadata.name, { id, metadata, rawBindings, callback, retryOptions: retryOptions(metadata) });
    return new Disposable(() => functions.delete(metadata.name));
  },
  registerHook(name, callback) {
    if (!hooks[name]) throw new RangeError(`unrecognized hook "${name}"`);
    hooks[name].push(callback);
    return new Disposable(() => hooks[name].splice(hooks[name].indexOf(callback), 1));
  },
  setProgrammingModel(one) { model = one; },
  getProgrammingModel() { return model; },
};

// Names of strategies are the protocol's.
function retryOptions({ retryOptions: said }) {
  const strategies = { fixedDelay: 'fixed_delay', exponentialBackoff: 'exponential_backoff' };
  return said && { ...said, retryStrategy: strategies[said.retryStrategy] ?? said.retryStrategy };
}

const load = Module._load;
Module._load = function (request, ...rest) {
  return request === '@azure/functions-core' ? core : load.call(this, request, ...rest);
};

async function hooked(name, context) {
  for (const callback of hooks[name]) await callback(context);
}

// As the vendor's worker reads `main`: a pattern of files.
function entries(app) {
  const file = path.join(app, 'package.json');
  const main = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).main : undefined;
  if (!main) return [];
  const wanted = path.posix.normalize(main.replace(/\\/g, '/'));
  if (!/[*?{[]/.test(wanted)) return [path.join(app, wanted)];
  const escaped = wanted.replace(/[.+^$()|]/g, '\\$&');
  const alternatives = escaped.replace(/\{([^}]*)\}/g, (_, all) => `(${all.split(',').join('|')})`);
  const parts = alternatives.split(/(\*\*\/|\*|\?)/)
    .map((part) => ({ '**/': '(.*/)?', '*': '[^/]*', '?': '[^/]' })[part] ?? part);
  const pattern = new RegExp(`^${parts.join('')}$`);
  const found = [];
  const walk = (folder) => {
    for (const entry of fs.readdirSync(path.join(app, folder), { withFileTypes: true })) {
      const name = path.posix.join(folder, entry.name);
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && fs.statSync(path.join(app, name)).isDirectory());
      if (isFolder && entry.name !== 'node_modules' && entry.name !== '.git') walk(name);
      else if (!isFolder && pattern.test(name)) found.push(path.join(app, name));
    }
  };
  walk('');
  return found.sort();
}

async function loadApp(app) {
  const files = entries(app);
  for (const file of files) {
    try {
      require(file);
    } catch (error) {
      if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
      await import(pathToFileURL(file));
    }
  }
  await hooked('appStart', { hookData: {}, appHookData, functionAppDirectory: app, hostVersion: core.hostVersion });
}

// The library's server for streams listens on every interface unless it is told otherwise.
async function onLoopback(act) {
  const { listen } = net.Server.prototype;
  net.Server.prototype.listen = function (...args) {
    return args.length === 1 && typeof args[0] === 'function'
      ? listen.call(this, 0, '127.0.0.1', ...args) : listen.apply(this, args);
  };
  try {
    return await act();
  } finally {
    net.Server.prototype.listen = listen;
  }
}

const good = () => ({ status: 'Success' });

function failed(error, invocation) {
  const is = error instanceof Error || (error && error.stack);
  const message = is ? `${error.name}: ${error.message}` : `Error: ${String(error)}`;
  const stackTrace = (is && error.stack) || '';
  write(`Result: Failure\nException: ${message}\nStack: ${stackTrace}`, invocation);
  return { status: 'Failure', exception: { message, stackTrace, type: (is && error.name) || 'Error' } };
}

async function begin(app) {
  try {
    await loadApp(app);
    const capabilities = await onLoopback(() => (model ? model.getCapabilities({ ...CAPABILITIES }) : CAPABILITIES));
    return { capabilities, result: good() };
  } catch (error) {
    return { result: failed(error) };
  }
}

const answers = {
  async workerInitRequest(request) {
    core.hostVersion = request.hostVersion;
    return { workerInitResponse: await begin(request.functionAppDirectory) };
  },
  async functionEnvironmentReloadRequest(request) {
    // What the sandbox says of this process stays.
    for (const name of Object.keys(process.env)) if (name !== 'TMPDIR') delete process.env[name];
    Object.assign(process.env, request.environmentVariables);
    process.chdir(request.functionAppDirectory);
    return { functionEnvironmentReloadResponse: await begin(request.functionAppDirectory) };
  },
  async functionsMetadataRequest() {
    const all = [...functions.values()].map(({ id, metadata, rawBindings, retryOptions }) => ({
      name: metadata.name, functionId: id, rawBindings, language: 'node', directory: process.cwd(), retryOptions,
    }));
    const useDefaultMetadataIndexing = all.length === 0;
    return { functionMetadataResponse: { functionMetadataResults: all, useDefaultMetadataIndexing, result: good() } };
  },
  async functionLoadRequest(request) {
    const name = request.metadata.name;
    const result = functions.has(name) ? good()
      : failed(new Error(`${name} is of an older programming model; mlemu runs the one of @azure/functions 4`));
    return { functionLoadResponse: { functionId: request.functionId, result } };
  },
  async invocationRequest(request) {
    const { invocationId, functionId } = request;
    try {
      const { metadata, callback } = [...functions.values()].find((one) => one.id === functionId);
      const context = { invocationId, request, metadata, state: undefined,
        log: (level, category, message) => category !== 'system' ? write(message, invocationId) : log(level, category, message) };
      return { invocationResponse: { ...spelled(await run(context, callback)), invocationId, result: good() } };
    } catch (error) {
      return { invocationResponse: { invocationId, result: failed(error, invocationId) } };
    }
  },
};

async function run(context, callback) {
  const invocation = model.getInvocationModel(context);
  const { context: invocationContext, inputs } = await invocation.getArguments();
  const hook = { hookData: {}, appHookData, invocationContext, functionCallback: callback, inputs };
  context.state = 'preInvocationHooks';
  await hooked('preInvocation', hook);
  context.state = 'invocation';
  hook.result = null;
  hook.error = null;
  try {
    hook.result = await invocation.invokeFunction(invocationContext, hook.inputs, hook.functionCallback);
  } catch (error) {
    hook.error = error;
  }
  context.state = 'postInvocationHooks';
  await hooked('postInvocation', hook);
  context.state = undefined;
  if (hook.error) throw hook.error;
  return invocation.getResponse(invocationContext, hook.result);
}

// The library writes the names of this enumeration small.
function spelled(response) {
  for (const data of [response.returnValue, ...(response.outputData ?? []).map((one) => one.data)]) {
    if (data?.http?.body) data.http.body = bytes(data.http.body);
    for (const cookie of data?.http?.cookies ?? []) {
      cookie.sameSite = cookie.sameSite[0].toUpperCase() + cookie.sameSite.slice(1);
    }
  }
  return response;
}

function bytes(data) {
  return data.bytes && !Buffer.isBuffer(data.bytes) ? { bytes: Buffer.from(data.bytes) } : data;
}

const definition = loader.loadSync(options['--proto'], {
  keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true,
});
const { FunctionRpc } = grpc.loadPackageDefinition(definition).AzureFunctionsRpcMessages;
const target = options['--functions-uri'].replace(/^.*:\/\//, '').replace(/\/$/, '');
const client = new FunctionRpc(target, grpc.credentials.createInsecure(), {
  'grpc.max_send_message_length': -1, 'grpc.max_receive_message_length': -1, 'grpc.enable_http_proxy': 0,
});
const stream = client.eventStream();

stream.on('data', async (message) => {
  const kind = message.content;
  if (kind === 'workerTerminate') {
    await hooked('appTerminate', { hookData: {}, appHookData });
    process.exit(0);
  }
  if (kind === 'workerStatusRequest') stream.write({ requestId: message.requestId, workerStatusResponse: {} });
  if (answers[kind]) stream.write({ requestId: message.requestId, ...(await answers[kind](message[kind])) });
});
// A host that is gone needs no worker.
stream.on('end', () => process.exit(0));
stream.on('error', () => process.exit(1));
stream.write({ requestId: options['--functions-request-id'], startStream: { workerId: options['--functions-worker-id'] } });
