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
}

/** Workers that were asked to end are killed after so long, ms. */
const patience = 15_000;
/** What is kept of the errors of a worker that does not write to the terminal, characters. */
const keptErrors = 4000;

interface Outcome {
  index: number;
  code: number | null;
  signal: NodeJS.Signals | null;
}

/**
 * Runs a program in several processes on this machine that find each other by `joinReplicas`. The first one writes to the
 * terminal. When one fails, the others are ended, and all are started again: a training goes on from its last checkpoint.
 * Each start has a port and a name of its own, so that two jobs never meet.
 *
 * @returns the exit code: 0 if all ended well, 130 after an interrupt, and otherwise that of the worker that failed
 */
export async function superviseWorkers(options: WorkersOptions): Promise<number> {
  const { maxRestarts, say } = options;
  let stops = 0;
  let workers: ChildProcess[] = [];
  const stopListening = options.onStop(() => {
    stops++;
    signalAll(workers, stops === 1 ? 'SIGINT' : 'SIGKILL');
  });
  try {
    for (let restart = 0; ; restart++) {
      const attempt = await start(options, restart);
      workers = attempt.workers;
      const failed = await firstFailure(attempt.ends);
      if (failed && stops === 0) await endAll(workers, attempt.ends);
      await Promise.all(attempt.ends);
      if (stops > 0) return 130;
      if (!failed) return 0;
      const how = failed.signal ? `was killed by ${failed.signal}` : `failed with exit code ${failed.code}`;
      const errors = attempt.errorsOf(failed.index).trimEnd();
      say(`worker ${failed.index} of ${options.processes} ${how}${errors ? `:\n${errors}` : ''}`);
      if (restart === maxRestarts) {
        say(
          maxRestarts === 0 ? 'the job has failed' : `the job has failed: all were started again ${maxRestarts} times`,
        );
        return failed.code || 1;
      }
      say(`all workers are started again (${restart + 1} of at most ${maxRestarts})`);
    }
  } finally {
    stopListening();
    signalAll(workers, 'SIGKILL');
  }
}

async function start({ command: [program, ...args], processes }: WorkersOptions, restart: number) {
  const shared = {
    ...{ WORLD_SIZE: processes, LOCAL_WORLD_SIZE: processes, MASTER_ADDR: '127.0.0.1', MASTER_PORT: await freePort() },
    ...{ PATHLAB_JOB: randomUUID(), PATHLAB_LAUNCHER: process.pid, PATHLAB_RESTART: restart },
  };
  const errors = new Array<string>(processes).fill('');
  const workers = Array.from({ length: processes }, (_, index) => {
    const worker = spawn(program, args, {
      env: { ...process.env, ...texts({ ...shared, RANK: index, LOCAL_RANK: index }) },
      stdio: index === 0 ? 'inherit' : ['ignore', 'ignore', 'pipe'],
      // Groups of their own: Ctrl-C comes once, from here, and what a worker has started ends with it.
      detached: true,
    });
    worker.stderr?.setEncoding('utf8').on('data', (text: string) => {
      errors[index] = (errors[index] + text).slice(-keptErrors);
    });
    return worker;
  });
  const ends = workers.map((worker, index) => endOf(worker, index));
  return { workers, ends, errorsOf: (index: number) => errors[index]! };
}

async function endOf(worker: ChildProcess, index: number): Promise<Outcome> {
  try {
    const [code, signal] = (await once(worker, 'close')) as [number | null, NodeJS.Signals | null];
    return { index, code, signal };
  } catch (error) {
    throw new Error(`worker ${index} could not be started: ${(error as Error).message}`, { cause: error });
  }
}

/** The worker that ended badly first; undefined if all end well. */
async function firstFailure(ends: readonly Promise<Outcome>[]): Promise<Outcome | undefined> {
  return new Promise((resolve, reject) => {
    const look = (outcome: Outcome) => {
      if (outcome.code !== 0) resolve(outcome);
    };
    for (const end of ends) end.then(look, reject);
    Promise.all(ends).then(() => resolve(undefined), reject);
  });
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
