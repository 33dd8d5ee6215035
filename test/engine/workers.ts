import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

/** How one worker ended. */
export interface Ended<Result> {
  /** What it told on its last line, if it did. */
  result: Result | undefined;
  code: number | null;
  signal: NodeJS.Signals | null;
  error: string;
  seconds: number;
}

/**
 * Runs a program in several processes at once that join one cluster. Each gets its index, the addresses and `options` as
 * JSON, and writes a line of JSON before it ends.
 *
 * @param program beside this file's folder
 * @param watch is given the processes as soon as they run
 */
export async function runWorkers<Result>(
  program: string,
  count: number,
  options: Record<string, unknown> = {},
  watch: (workers: ChildProcess[]) => void = () => {},
): Promise<Ended<Result>[]> {
  const addresses = (await freePorts(count)).map((port) => `127.0.0.1:${port}`);
  const path = fileURLToPath(new URL(program, import.meta.url));
  const began = performance.now();
  const workers = addresses.map((_, index) =>
    spawn(process.execPath, [path, JSON.stringify({ ...options, index, addresses })]),
  );
  watch(workers);
  return Promise.all(
    workers.map(async (worker) => {
      const said = { out: '', error: '' };
      worker.stdout.on('data', (text) => {
        said.out += text;
      });
      worker.stderr.on('data', (text) => {
        said.error += text;
      });
      const [code, signal] = (await once(worker, 'close')) as [number | null, NodeJS.Signals | null];
      const last = said.out.trim().split('\n').at(-1);
      const result = last ? (JSON.parse(last) as Result) : undefined;
      return { result, code, signal, error: said.error, seconds: (performance.now() - began) / 1000 };
    }),
  );
}

/** Of several, so that they differ: all are open at a time. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
