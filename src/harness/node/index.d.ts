/** How an invocation that was asked for ended. */
export interface Answer {
  schema_version: number;
  invocation: string;
  status: "ok" | "error" | "queued";
  result: any;
  log: string[];
  report?: Record<string, unknown>;
}

/** One invocation in a list. Times are microseconds since 1970. */
export interface Line {
  number: number;
  id: string;
  function: string;
  cloud: string;
  account: string;
  status: "queued" | "running" | "ok" | "error" | "timeout" | "exited" | "out-of-memory" | "too-large";
  trace: string;
  cause: "request" | "occurrence" | "mlemu";
  arrived: number;
  ended: number | null;
  handler_ms: number | null;
  cold: boolean | null;
  /** In bytes. */
  peak_memory: number | null;
}

/** One invocation with everything that is known of it. */
export interface Invocation extends Line {
  revision: string | null;
  instance: number | null;
  event: any;
  result: any;
  usage: Record<string, unknown> | null;
  phases: { phase: "queued" | "init" | "handler"; ms: number }[];
  log: { at: number; stream: "stdout" | "stderr"; text: string }[];
  log_lost: number;
}

export interface Filters {
  function?: string;
  status?: Line["status"];
  trace?: string;
  since?: number;
  limit?: number;
}

export interface Until {
  idle?: boolean;
  trace?: string;
  invocations?: { function?: string; status?: string; count?: number };
  object?: { bucket: string; key?: string; prefix?: string; count?: number };
  account?: string;
  /** Nothing is left in this queue, hidden messages included. */
  queue_empty?: string;
}

export interface WaitOptions {
  /** On the machine's clock; 30 seconds when nothing is said. */
  timeoutMs?: number;
  /** Only invocations that arrived after this cursor count. */
  since?: number;
  /** Reject as soon as nothing is under way that could make it come true. */
  whileBusy?: boolean;
}

export interface Waited {
  cursor: number;
  invocations: Line[];
  objects: { key: string; size: number; etag: string }[];
}

export interface Face {
  now: string;
  now_us: number;
  mode: "real" | "frozen" | "running";
  rate: number;
  offset_ms: number;
  due: string[];
}

/** Where and when something goes wrong. */
export interface FaultRule {
  match?: { service?: string; operation?: string; resource?: string; function?: string };
  nth?: number[];
  times?: number;
  after?: number;
  probability?: number;
  /** In emulated time, e.g. `10s`. */
  window?: string;
}

export interface Message {
  id: string;
  body: any;
  sight: "visible" | "leased" | "delayed";
  /** When it is visible again. */
  until: string | null;
  /** How often it was received. */
  received: number;
}

export class MlemuError extends Error {
  readonly status: number;
}

export class NotSettled extends Error {
  readonly diagnosis: { error: string; idle: boolean; under_way: unknown[]; last_failed: Invocation | null };
}

export interface Clock {
  now(): Promise<string>;
  freeze(at?: string): Promise<Face>;
  set(at: string): Promise<Face>;
  advance(by: string): Promise<Face>;
  rate(rate: number): Promise<Face>;
  real(): Promise<Face>;
}

export class Mlemu {
  constructor(environment: Record<string, string>, stop?: () => Promise<void>);
  readonly environment: Record<string, string>;
  readonly url: string;
  readonly clock: Clock;
  scope(name: string): Promise<Mlemu>;
  fault(effect: string, rule?: FaultRule): Promise<number>;
  faults(): Promise<{ number: number; effect: string; seen: number; struck: number }[]>;
  clearFaults(): Promise<void>;
  messages(queue: string, limit?: number): Promise<Message[]>;
  waitQueueEmpty(queue: string, options?: WaitOptions): Promise<void>;
  pauseTriggers(): Promise<void>;
  resumeTriggers(): Promise<void>;
  invoke(name: string, event?: unknown, options?: { check?: boolean; queue?: boolean }): Promise<Answer>;
  invocations(filters?: Filters): Promise<Line[]>;
  invocation(id?: string): Promise<Invocation>;
  replay(id?: string, event?: unknown): Promise<Answer>;
  cold(name: string): Promise<void>;
  waitIdle(options?: WaitOptions): Promise<void>;
  waitTrace(trace: string, options?: WaitOptions): Promise<void>;
  waitInvocations(name: string, options?: WaitOptions & { count?: number; status?: string }): Promise<Line[]>;
  waitObject(bucket: string, key: string, options?: WaitOptions): Promise<void>;
  wait(until: Until, options?: WaitOptions): Promise<Waited>;
  reset(options?: { scope?: "all" | "state" | "buckets" | "queues" | "functions" | "journal"; cold?: boolean }): Promise<void>;
  snapshot(name: string): Promise<void>;
  restore(name: string): Promise<void>;
  put(bucket: string, key: string, body: string | Uint8Array): Promise<string>;
  get(bucket: string, key: string): Promise<Buffer>;
  send(queue: string, body: string | Uint8Array): Promise<string>;
  objects(bucket: string, prefix?: string): Promise<string[]>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** The project's folder; the current one when nothing is said. */
  project?: string;
  /** Make this process's environment the daemon's; true when nothing is said. */
  apply?: boolean;
}

export function start(options?: StartOptions): Promise<Mlemu>;
export function describe(invocation: Invocation, most?: number): string[];

type Hook = (work: () => Promise<void>) => unknown;
export function useMlemu(hooks: { before: Hook; beforeEach: Hook; after: Hook }, options?: StartOptions): Mlemu;
