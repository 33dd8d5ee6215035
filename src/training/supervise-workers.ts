import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';

/** What `superviseWorkers` starts. */
export interface WorkersOptions {
  /** Program and arguments, the same for each worker. */
  command: readonly [string, ...string[]];
  processes: number;
  /** How often all are started again after one has failed. */
  maxRestarts: number;
  /** Gets lines for the user. */
  say: (line: string) => void;
  /** What asks for the end: at the first time the workers are interrupted, at the second killed. */
  onStop: (listener: () => void) => () => void;
  /** Variables of the workers; by default those of this process. */
  environment?: NodeJS.ProcessEnv;
  /** Gets the first worker of each start, which may call this process (see `answerCalls`). By default it writes to the terminal. */
  onFirst?: (worker: ChildProcess) => void;
  /** With this exit code a worker says that its failure would come again: then none is started again. */
  failedForGood?: number;
  /**
   * Only the first worker is started: the others run already, and the variables of this process say where (see
   * `joinReplicas`).
   */
  ofJob?: boolean;
}

/** How a job of workers ended. */
export interface WorkersEnd {
  /** 0 if all ended well, 130 after an interrupt, and otherwise the exit code of the worker that failed. */
  code: number;
  /** What failed last, and that it was the end of it. */
  failure?: string;
}

/** Workers that were asked to end are killed after so long, ms. */
const patience = 15_000;
/** After a failure, others have so long to tell theirs, which may be the reason, ms. */
const patienceForReasons = 1000;
/** What is kept of the errors of a worker that does not write to the terminal, characters. */
const keptErrors = 4000;

interface Outcome {
  index: number;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Runs a program in several processes on this machine that find each other by `joinReplicas`. When one fails, the others are
 * ended, and all are started again: a training goes on from its last checkpoint. Each start has a port and a name of its own,
 * so that two jobs never meet.
 */
export async function superviseWorkers(options: WorkersOptions): Promise<WorkersEnd> {
  const { processes, maxRestarts, say, failedForGood } = options;
  let stops = 0;
  let workers: ChildProcess[] = [];
  const stopListening = options.onStop(() => {
    stops++;
    signalAll(workers, stops === 1 ? 'SIGINT' : 'SIGKILL');
  });
  try {
    for (let restart = 0; stops === 0; restart++) {
      const attempt = await start(options, restart);
      workers = attempt.workers;
      if (stops > 0) signalAll(workers, 'SIGINT');
      const failed = await failureOf(attempt.ends, failedForGood);
      if (failed && stops === 0) await endAll(workers, attempt.ends);
      await Promise.all(attempt.ends);
      if (stops > 0) break;
      if (!failed) return { code: 0 };
      const how = failed.signal ? `was killed by ${failed.signal}` : `failed with exit code ${failed.code}`;
      const errors = attempt.errorsOf(failed.index).trimEnd();
      const what = `worker ${failed.index} of ${processes} ${how}${errors ? `:\n${errors}` : ''}`;
      if (failed.code === failedForGood) return { code: failed.code ?? 1, failure: what };
      if (restart === maxRestarts) {
        const often = maxRestarts === 0 ? '' : `: all were started again ${maxRestarts} times`;
        return { code: failed.code || 1, failure: `${what}\nthe job has failed${often}` };
      }
      say(what);
      say(`all workers are started again (${restart + 1} of at most ${maxRestarts})`);
    }
    return { code: 130 };
  } finally {
    stopListening();
    signalAll(workers, 'SIGKILL');
  }
}

async function start(options: WorkersOptions, restart: number) {
  const {
    command: [program, ...args],
    environment = process.env,
    onFirst,
  } = options;
  const places = await placesOf(options);
  const shared = { PATHLAB_LAUNCHER: process.pid, PATHLAB_RESTART: restart };
  const errors = places.map(() => '');
  const workers = places.map((place, index) => {
    const worker = spawn(program, args, {
      env: { ...environment, ...texts({ ...shared, ...place }) },
      stdio: index > 0 ? ['ignore', 'ignore', 'pipe'] : onFirst ? ['ignore', 'inherit', 'pipe', 'ipc'] : 'inherit',
      serialization: 'advanced',
      // Groups of their own: Ctrl-C comes once, from here, and what a worker has started ends with it.
      detached: true,
    });
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors[index] = (errors[index] + text).slice(-keptErrors);
    });
    return worker;
  });
  const ends = workers.map((worker, index) => endOf(worker, index));
  onFirst?.(workers[0]!);
  return { workers, ends, errorsOf: (index: number) => errors[index]! };
}

/** What the environment of each worker says of its place. */
async function placesOf({ processes, ofJob }: WorkersOptions): Promise<Record<string, string | number>[]> {
  if (ofJob) return [{}];
  const shared = {
    ...{ WORLD_SIZE: processes, LOCAL_WORLD_SIZE: processes, MASTER_ADDR: '127.0.0.1', MASTER_PORT: await freePort() },
    PATHLAB_JOB: randomUUID(),
  };
  return Array.from({ length: processes }, (_, index) => ({ ...shared, RANK: index, LOCAL_RANK: index }));
}

async function endOf(worker: ChildProcess, index: number): Promise<Outcome> {
  try {
    const [code, signal] = (await once(worker, 'close')) as [number | null, NodeJS.Signals | null];
    return { index, code, signal };
  } catch (error) {
    throw new Error(`worker ${index} could not be started: ${(error as Error).message}`, { cause: error });
  }
}

/** The worker that ended badly first, or with `failedForGood` soon after it; undefined if all end well. */
async function failureOf(ends: readonly Promise<Outcome>[], failedForGood?: number): Promise<Outcome | undefined> {
  const failures: Outcome[] = [];
  const first = await new Promise<Outcome | undefined>((resolve, reject) => {
    const look = (outcome: Outcome) => {
      if (outcome.code === 0) return;
      failures.push(outcome);
      resolve(outcome);
    };
    for (const end of ends) end.then(look, reject);
    Promise.all(ends).then(() => resolve(undefined), reject);
  });
  if (!first || failedForGood === undefined) return first;
  await Promise.race([Promise.all(ends), setTimeout(patienceForReasons, undefined, { ref: false })]);
  return failures.find(({ code }) => code === failedForGood) ?? first;
}

/** Asks them to end, and kills those that do not. */
async function endAll(workers: readonly ChildProcess[], ends: readonly Promise<Outcome>[]): Promise<void> {
  signalAll(workers, 'SIGTERM');
  const late = setTimeout(patience, 'late', { ref: false });
  if ((await Promise.race([Promise.all(ends), late])) === 'late') signalAll(workers, 'SIGKILL');
}

/** To each worker's group, as far as there is one yet. */
function signalAll(workers: readonly ChildProcess[], signal: NodeJS.Signals): void {
  for (const { pid } of workers) {
    try {
      if (pid !== undefined) process.kill(-pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** A port of the loopback address that nobody has at the moment. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await once(server.close(), 'close');
  return port;
}

function texts(values: Record<string, string | number>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
}
