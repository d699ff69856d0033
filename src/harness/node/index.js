// A client of mlemu's control API, and a daemon of our own that cannot outlive us. No dependencies.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** The daemon refused, and says why. */
export class MlemuError extends Error {
  constructor(status, why) {
    super(why);
    this.name = "MlemuError";
    this.status = status;
  }
}

/** What was waited for did not come; `diagnosis` is what the daemon knows of why. */
export class NotSettled extends Error {
  constructor(diagnosis) {
    super(inWords(diagnosis));
    this.name = "NotSettled";
    this.diagnosis = diagnosis;
  }
}

function inWords(diagnosis) {
  const lines = [diagnosis.error ?? "not settled"];
  for (const open of diagnosis.under_way ?? []) lines.push(`under way: ${JSON.stringify(open.work)}`);
  if (diagnosis.last_failed) lines.push("", ...describe(diagnosis.last_failed));
  return lines.join("\n");
}

/** An invocation for a person: how it ended, and the end of its log. */
export function describe(invocation, most = 40) {
  const took = invocation.handler_ms == null ? "" : ` in ${Math.round(invocation.handler_ms)} ms`;
  const start = invocation.cold ? ", cold" : "";
  const log = (invocation.log ?? []).slice(-most).flatMap((line) => line.text.split("\n"));
  return [
    `${invocation.function}: ${invocation.status}${took}${start} (${invocation.id})`,
    ...log.map((line) => `    ${line}`),
  ];
}

/** One daemon. `environment` points SDKs at it. */
export class Mlemu {
  #token;
  #stop;
  #scope;

  constructor(environment, stop = async () => {}) {
    this.environment = environment;
    this.url = environment.MLEMU_URL;
    this.#token = environment.MLEMU_TOKEN;
    this.#stop = stop;
    this.#scope = environment.MLEMU_SCOPE;
    this.clock = new Clock((method, body) => this.#json(method, "/_mlemu/clock", body));
  }

  /** The same project in a scope of its own: own objects, queues, clock and invocations; `stop` ends it. */
  async scope(name) {
    const path = `/_mlemu/scopes/${encodeURIComponent(name)}`;
    const made = await this.#json("PUT", path);
    const urls = Object.entries(made.functions).map(([of, url]) => [variable(of), url]);
    const environment = { ...this.environment, ...made.environment, ...Object.fromEntries(urls), MLEMU_SCOPE: name };
    return new Mlemu(environment, () => this.#json("DELETE", path));
  }

  /** Calls a function; a failure of it throws unless `check` is false. `queue` does not wait for the outcome. */
  async invoke(name, event = {}, { check = true, queue = false } = {}) {
    const path = `/_mlemu/functions/${encodeURIComponent(name)}/invoke?queue=${queue}`;
    const answer = await this.#json("POST", path, event);
    if (check && answer.status === "error") {
      throw new Error(`${name} failed: ${JSON.stringify(answer.result)}\n${(answer.log ?? []).join("\n")}`);
    }
    return answer;
  }

  /** Those that are known, oldest first; filters: function, status, trace, since, limit. */
  async invocations(filters = {}) {
    const given = Object.entries(filters).filter(([, value]) => value != null);
    return (await this.#json("GET", `/_mlemu/invocations?${new URLSearchParams(given)}`)).invocations;
  }

  /** Everything that is known of one: event, result, log, phases, memory. */
  invocation(id = "last") {
    return this.#json("GET", `/_mlemu/invocations/${encodeURIComponent(id)}`);
  }

  /** Runs one again, with another event if one is given. */
  replay(id = "last", event = undefined) {
    return this.#json("POST", `/_mlemu/invocations/${encodeURIComponent(id)}/replay`, event);
  }

  /** Makes the next call of a function a cold start. */
  cold(name) {
    return this.#json("POST", `/_mlemu/functions/${encodeURIComponent(name)}/cold`);
  }

  /** Resolves when nothing is under way that anything could come of. */
  async waitIdle(options) {
    await this.wait({ idle: true }, options);
  }

  /** Resolves when nothing is under way of what one request caused; `trace` is the request's id. */
  async waitTrace(trace, options) {
    await this.wait({ trace }, options);
  }

  /** Resolves to so many ended invocations; rejects as soon as nothing is under way that could bring them. */
  async waitInvocations(name, { count = 1, status, ...options } = {}) {
    const invocations = { function: name, count, ...(status && { status }) };
    return (await this.wait({ invocations }, { whileBusy: true, ...options })).invocations;
  }

  /** Resolves when an object is there; rejects as soon as nothing is under way that could write it. */
  async waitObject(bucket, key, options) {
    await this.wait({ object: { bucket, key } }, { whileBusy: true, ...options });
  }

  /** The control API's own `wait`. */
  wait(until, { timeoutMs = 30_000, since = 0, whileBusy = false } = {}) {
    return this.#json("POST", "/_mlemu/wait", { until, timeout_ms: timeoutMs, since, while_busy: whileBusy });
  }

  /** Something goes wrong from now on, e.g. `fault("oom", { match: { function: "Resize" }, times: 1 })`. */
  async fault(effect, rule = {}) {
    return (await this.#json("POST", "/_mlemu/faults", { effect, ...rule })).numbers[0];
  }

  /** The rules, and how often each struck. */
  faults() {
    return this.#json("GET", "/_mlemu/faults");
  }

  clearFaults() {
    return this.#json("DELETE", "/_mlemu/faults");
  }

  /** What is in a queue, without taking it. */
  messages(queue, limit = 100) {
    return this.#json("GET", `/_mlemu/queues/${encodeURIComponent(queue)}/messages?limit=${limit}`);
  }

  /** Resolves when nothing is left in a queue, hidden messages included. */
  async waitQueueEmpty(queue, options) {
    await this.wait({ queue_empty: queue }, options);
  }

  /** Nothing starts a function by itself until `resumeTriggers`. */
  pauseTriggers() {
    return this.#json("POST", "/_mlemu/triggers/pause");
  }

  resumeTriggers() {
    return this.#json("POST", "/_mlemu/triggers/resume");
  }

  /** Everything as it was when the project was ready; `scope`: all, state, buckets, functions, journal. */
  reset({ scope = "all", cold = false } = {}) {
    return this.#json("POST", "/_mlemu/reset", { scope, cold });
  }

  /** Keeps this moment under a name. */
  snapshot(name) {
    return this.#json("POST", `/_mlemu/snapshots/${encodeURIComponent(name)}`);
  }

  /** Goes back to a moment that was kept. */
  restore(name) {
    return this.#json("POST", `/_mlemu/snapshots/${encodeURIComponent(name)}/restore`);
  }

  /** Puts an object, in whichever cloud the bucket is; resolves to what `waitTrace` takes. */
  async put(bucket, key, body) {
    return JSON.parse(await this.#bytes("PUT", object(bucket, key), body)).trace;
  }

  get(bucket, key) {
    return this.#bytes("GET", object(bucket, key));
  }

  /** Sends a message to a queue, or publishes it to a topic; resolves to what `waitTrace` takes. */
  async send(queue, body) {
    return JSON.parse(await this.#bytes("POST", `/_mlemu/queues/${encodeURIComponent(queue)}/messages`, body)).trace;
  }

  /** The keys of a bucket that begin so, at most a thousand. */
  async objects(bucket, prefix = "") {
    return (await this.wait({ object: { bucket, prefix, count: 0 } })).objects.map((found) => found.key);
  }

  /** Ends the daemon, if it is ours. */
  async stop() {
    await this.#stop();
  }

  async #bytes(method, path, body) {
    const scope = this.#scope ? { "x-mlemu-scope": this.#scope } : {};
    const headers = { authorization: `Bearer ${this.#token}`, ...scope };
    const response = await fetch(this.url + path, { method, headers, body });
    const answer = Buffer.from(await response.arrayBuffer());
    if (response.ok) return answer;
    const document = JSON.parse(answer);
    if (response.status === 408) throw new NotSettled(document);
    throw new MlemuError(response.status, document.error);
  }

  async #json(method, path, body) {
    const answer = await this.#bytes(method, path, body === undefined ? undefined : JSON.stringify(body));
    return answer.length ? JSON.parse(answer) : undefined;
  }
}

function object(bucket, key) {
  return `/_mlemu/buckets/${encodeURIComponent(bucket)}/objects/${encodeURIComponent(key)}`;
}

function variable(name) {
  return `MLEMU_FUNCTION_${name.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()}_URL`;
}

/** The emulated clouds' time. It does not govern what a function's own process reads. */
class Clock {
  #steer;

  constructor(steer) {
    this.#steer = steer;
  }

  async now() {
    return (await this.#steer("GET")).now;
  }

  /** Time stands still, at `at` if it is given (RFC 3339). */
  freeze(at) {
    return this.#steer("POST", { frozen: true, ...(at && { now: at }) });
  }

  set(at) {
    return this.#steer("POST", { now: at });
  }

  /** Goes forward, e.g. by `10m`; resolves when everything that fell due on the way has settled. */
  advance(by) {
    return this.#steer("POST", { advance: by });
  }

  rate(rate) {
    return this.#steer("POST", { rate });
  }

  real() {
    return this.#steer("POST", { real: true });
  }
}

// Runs inside of `mlemu exec`: tells its environment, and stays for as long as somebody holds its input.
const HOLD = "console.log(JSON.stringify(process.env)); process.stdin.resume()";

/**
 * The daemon: that of `mlemu exec` if the tests run in it, otherwise one of our own for `project`. With `apply`
 * (the default) this process's environment becomes the daemon's until `stop`. Workers of a test runner have a
 * scope each of a daemon that they share.
 */
export async function start({ project = ".", apply = true } = {}) {
  if (process.env.MLEMU_URL && process.env.MLEMU_TOKEN) return shared(apply);
  const program = process.env.MLEMU_BIN ?? "mlemu";
  const command = ["exec", "--project", project, "--", process.execPath, "-e", HOLD];
  const child = spawn(program, command, { stdio: ["pipe", "pipe", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk) => (said += chunk));
  const ended = new Promise((resolve) => child.once("close", resolve));
  const line = new Promise((resolve) => createInterface(child.stdout).once("line", resolve));
  const failed = new Promise((_, reject) => child.once("error", reject));
  const first = await Promise.race([line, ended.then(() => undefined), failed]);
  if (first === undefined) throw new Error(`mlemu did not get ready:\n${said.trim()}`);
  const environment = JSON.parse(first);
  const before = { ...process.env };
  if (apply) become(environment);
  return new Mlemu(environment, async () => {
    if (apply) become(before);
    child.stdin.end();
    await ended;
  });
}

async function shared(apply) {
  const daemon = new Mlemu({ ...process.env });
  const worker = process.env.VITEST_POOL_ID ?? process.env.JEST_WORKER_ID;
  // node:test has a process for each file.
  const alone = worker === undefined && process.env.NODE_TEST_CONTEXT !== undefined;
  if (worker === undefined && !alone) return daemon;
  const scope = await daemon.scope(alone ? `p${process.pid}` : `w${worker}`);
  const before = { ...process.env };
  if (apply) become(scope.environment);
  return new Mlemu(scope.environment, async () => {
    if (apply) become(before);
    // Other files of the same worker use the scope too.
    if (alone) await scope.stop();
  });
}

function become(environment) {
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
}

/**
 * For a test file: starts the daemon before its tests, brings everything back to how it was before each of them,
 * and ends it. Give it the runner's own hooks: `useMlemu({ before, beforeEach, after })` for node:test,
 * `useMlemu({ before: beforeAll, beforeEach, after: afterAll })` for Vitest and Jest.
 */
export function useMlemu({ before, beforeEach, after }, options) {
  let daemon;
  before(async () => {
    daemon = await start(options);
  });
  beforeEach(async () => {
    await daemon.reset();
  });
  after(async () => {
    await daemon?.stop();
  });
  return new Proxy(
    {},
    {
      get(_, name) {
        if (daemon === undefined) throw new Error("mlemu is there from the first test on, not before");
        const value = daemon[name];
        return typeof value === "function" ? value.bind(daemon) : value;
      },
    },
  );
}
