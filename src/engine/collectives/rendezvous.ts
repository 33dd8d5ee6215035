import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { finished } from 'node:stream/promises';
import { setTimeout } from 'node:timers/promises';

/** Where the workers of a job find each other. */
export interface Rendezvous {
  /** Of this worker, from 0; the first one waits for the others. */
  index: number;
  count: number;
  /** Of the first worker. */
  host: string;
  port: number;
  /** What all workers of a job have in common, and those of another have not. */
  job: string;
  /** How long they wait for each other. */
  timeoutSeconds: number;
  /** What the first one tells the others. */
  word?: string;
}

/** What a worker learns of its job. */
export interface Meeting {
  /** `host:port` of each worker, in the order of their indices: what `joinCluster` takes. */
  addresses: string[];
  /** What the first one tells. */
  word?: string;
}

interface Greeting {
  job: string;
  index: number;
  count: number;
  port: number;
}
type Answer = Meeting | { refusal: string };

/** Between two tries to reach the first worker, which may start later, ms. */
const retryInterval = 200;

/**
 * Tells each worker of a job the addresses of all, each with a port that was free, and what the first one has to say. A
 * worker of another job that comes here by mistake is sent away.
 *
 * @throws Error if some do not come in time, naming them, if this worker is refused, or if the port is taken
 */
export async function meet(rendezvous: Rendezvous): Promise<Meeting> {
  // Held until all are known, so that nobody else takes it meanwhile.
  const held = await listening(createServer(), 0);
  try {
    const { port } = held.address() as { port: number };
    return rendezvous.index === 0 ? await receive(rendezvous, port) : await introduce(rendezvous, port);
  } finally {
    held.close();
  }
}

/** The first worker's part: waits for all, and then answers each. */
async function receive(rendezvous: Rendezvous, port: number): Promise<Meeting> {
  const { host, job, count, timeoutSeconds, word } = rendezvous;
  const addresses = new Map([[0, `${host}:${port}`]]);
  const sockets = new Map<number, Socket>();
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    createInterface({ input: socket }).once('line', (line) => {
      const greeting = read<Greeting>(line);
      const refusal = refusalOf(greeting, { job, count }, addresses);
      if (refusal !== undefined) return void answer(socket, { refusal });
      const { index, port } = greeting!;
      addresses.set(index, addressOf(socket.remoteAddress!, port));
      sockets.set(index, socket);
      // One that is started anew may take its place.
      socket.once('close', () => {
        addresses.delete(index);
        sockets.delete(index);
      });
      if (addresses.size === count) server.emit('complete');
    });
  });
  await listening(server, rendezvous.port, isLoopback(host) ? host : undefined).catch((error: Error) => {
    throw new Error(
      `the first worker could not open port ${rendezvous.port}, where the others look for it: ${error.message}. ` +
        'Another job may have it: take another port',
    );
  });
  try {
    if (addresses.size < count) {
      await once(server, 'complete', { signal: AbortSignal.timeout(1000 * timeoutSeconds) }).catch(() => {
        const missing = Array.from({ length: count }, (_, index) => index).filter((index) => !addresses.has(index));
        throw new Error(`of ${count} workers, ${missing.join(', ')} did not come within ${timeoutSeconds} s`);
      });
    }
    const ordered = Array.from({ length: count }, (_, index) => addresses.get(index)!);
    const meeting: Meeting = { addresses: ordered, ...(word !== undefined && { word }) };
    await Promise.all([...sockets.values()].map((socket) => answer(socket, meeting)));
    return meeting;
  } finally {
    for (const socket of open) if (!socket.writableEnded) socket.destroy();
    server.close();
  }
}

/** The others' part. */
async function introduce({ host, port, timeoutSeconds, ...own }: Rendezvous, held: number): Promise<Meeting> {
  const signal = AbortSignal.timeout(1000 * timeoutSeconds);
  const greeting: Greeting = { job: own.job, index: own.index, count: own.count, port: held };
  while (!signal.aborted) {
    const said = await ask(host, port, greeting, signal);
    if (said && 'refusal' in said)
      throw new Error(`worker ${own.index} was refused at ${host}:${port}: ${said.refusal}`);
    if (said) return said;
    await setTimeout(retryInterval);
  }
  throw new Error(
    `worker ${own.index} of ${own.count} was not answered by the first one at ${host}:${port} within ${timeoutSeconds} s: ` +
      'it has not started, or others are missing',
  );
}

/** @returns undefined if nobody listens, or goes away before an answer */
async function ask(host: string, port: number, greeting: Greeting, signal: AbortSignal): Promise<Answer | undefined> {
  const socket = createConnection({ host, port, signal });
  try {
    await once(socket, 'connect');
    socket.write(`${JSON.stringify(greeting)}\n`);
    let text = '';
    for await (const part of socket) text += part;
    return read<Answer>(text);
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

function refusalOf(
  greeting: Greeting | undefined,
  { job, count }: Pick<Rendezvous, 'job' | 'count'>,
  known: ReadonlyMap<number, string>,
): string | undefined {
  if (!greeting) return 'that is no worker';
  if (greeting.job !== job) return `another job (${job || 'without a name'}) has this port`;
  if (greeting.count !== count) return `the job has ${count} workers, not ${greeting.count}`;
  const { index } = greeting;
  if (!(Number.isInteger(index) && index > 0 && index < count)) return `of ${count} workers, ${index} is none`;
  return known.has(index) ? `there is a worker ${index} already` : undefined;
}

function read<Message>(line: string): Message | undefined {
  try {
    return JSON.parse(line) as Message;
  } catch {
    return undefined;
  }
}

/** Until it is sent: what follows may block this process until the others come. */
async function answer(socket: Socket, message: Answer): Promise<void> {
  socket.end(`${JSON.stringify(message)}\n`);
  await finished(socket, { readable: false }).catch(() => {});
}

async function listening(server: Server, port: number, host?: string): Promise<Server> {
  server.listen(port, host);
  await once(server, 'listening');
  return server;
}

const isLoopback = (host: string) => host === 'localhost' || host === '::1' || host.startsWith('127.');

/** An IPv4 address that came over IPv6 as such, and an IPv6 address in brackets. */
function addressOf(host: string, port: number): string {
  const plain = host.replace(/^::ffff:/, '');
  return plain.includes(':') ? `[${plain}]:${port}` : `${plain}:${port}`;
}
