import { describe, expect, it } from 'vitest';
import { allReduce, joinCluster, tf } from '../../src/engine/index.js';
import { runWorkers } from './workers.js';

const program = 'collectives-worker.mjs';

interface Exchanged {
  eager: { sum: number[]; gathered: number[] };
  compiled: { sum: number[]; gathered: number[]; others: number[]; whole: number[] };
  shape: number[];
  host: number;
  wrong: number[];
  hashes: string[];
}
interface Lost {
  messages: string[];
  seconds: number;
}

describe('collectives of several processes', () => {
  it.each([
    [2, 'memory'],
    [3, 'memory'],
    [3, 'gRPC'],
  ])(
    'sum and gather over %i through %s, eagerly and in a compiled step, the same bits on each',
    async (count, through) => {
      const workers = await runWorkers<Exchanged>(program, count, { scenario: 'exchange', through });
      const indices = Array.from({ length: count }, (_, index) => index);
      const rows = indices.map((index) => [index, 10 * index, index + 0.5, 1 - index]);
      const sum = [0, 1, 2, 3].map((at) => rows.reduce((total, own) => total + own[at]!, 0));
      const total = sum.reduce((a, b) => a + b);
      for (const { result, code, error } of workers) {
        expect(code, error).toBe(0);
        const { eager, compiled, shape, host, hashes, wrong } = result!;
        expect(wrong).toEqual([0, 0, 0]);
        expect(host).toBe(indices.reduce((sum, index) => sum + index + 0.5, 0));
        expect(eager).toEqual({ sum, gathered: rows.flat() });
        const others = Array.from({ length: 8 }, (_, at) => at * total);
        expect(compiled).toEqual({ ...eager, others, whole: [count, count] });
        expect(shape).toEqual([2 * count, 2]);
        expect(hashes).toEqual(workers[0]!.result!.hashes);
        expect(new Set(hashes).size).toBe(hashes.length);
      }
    },
  );

  it.each([
    ['memory', ['gather', 'reduce']],
    ['gRPC', ['gather', 'reduce', 'norm']],
  ])('have gradients that agree with differences, through %s', async (through, names) => {
    for (const { result, error } of await runWorkers<Record<string, number>>(program, 2, {
      ...{ scenario: 'differentiate', through },
    })) {
      expect(Object.keys(result ?? {}), error).toEqual(names);
      for (const value of Object.values(result!)) expect(value).toBeLessThan(1e-7);
    }
  });

  it.each(['memory', 'gRPC'])(
    'let batch norm see the rows of all, though one has none, as batch norm of all rows does, through %s',
    async (through) => {
      const options = { scenario: 'normalize', through };
      const workers = await runWorkers<{ errors: Record<string, number>; hashes: string[] }>(program, 3, options);
      for (const [index, { result, error }] of workers.entries()) {
        // Of four kinds: statistics and gradients of parameters; with rows also y and dx, and two kinds have a shortcut.
        expect(Object.keys(result?.errors ?? {}), error).toHaveLength(index === 1 ? 4 * 4 : 4 * 6 + 2);
        for (const [name, value] of Object.entries(result!.errors)) expect(value, name).toBeLessThan(1e-5);
        expect(result!.hashes).toEqual(workers[0]!.result!.hashes);
      }
    },
  );

  it('join a batch norm with the convolution behind it, and give each row the random numbers of the whole batch', async () => {
    for (const { result, error } of await runWorkers<Record<string, number>>(program, 2, { scenario: 'others' })) {
      expect(result, error).toEqual({ convolution: expect.any(Number), rows: 0 });
      expect(result!.convolution).toBeLessThan(1e-5);
    }
  });

  it.each(['memory', 'gRPC'])(
    'fail at once where a process is killed, and say who is gone, through %s',
    async (through) => {
      const options = { scenario: 'die', timeoutSeconds: 20, through };
      const [first, second, killed] = await runWorkers<Lost>(program, 3, options);
      expect(killed!.signal).toBe('SIGKILL');
      for (const [index, { result, error }] of [first!, second!].entries()) {
        expect(result?.messages, error).toHaveLength(3);
        for (const message of result!.messages) {
          expect(message).toMatch(new RegExp(`worker ${index} of 3 cannot go on, for .* Start all workers again`));
          if (through === 'memory') expect(message).toContain('worker 2 is gone');
        }
        expect(result!.messages[0]).toMatch(/^the compiled train failed: .*collectives-worker/);
        expect(result!.seconds).toBeLessThan(20);
      }
    },
  );

  it.each(['memory', 'gRPC'])('fail after the timeout where a process hangs, through %s', async (through) => {
    const kill = (worker: { kill(signal: 'SIGKILL'): void } | undefined) => worker?.kill('SIGKILL');
    const options = { scenario: 'hang', timeoutSeconds: 2, through };
    const [waiting] = await runWorkers<Lost>(program, 2, options, ([first, second]) =>
      first!.once('exit', () => kill(second)),
    );
    expect(waiting!.result?.messages[0], waiting!.error).toMatch(/did not join a collective within 2 s: it hangs/);
    expect(waiting!.result!.seconds).toBeGreaterThan(1.9);
  });

  it('name processes that call different ones', async () => {
    const workers = await runWorkers<{ message: string }>(program, 2, { scenario: 'differ', timeoutSeconds: 5 });
    for (const [index, { result, error }] of workers.entries()) {
      const other = `worker ${1 - index} is at another exchange \\(number 1, ${4 * (4 - index)} bytes\\)`;
      expect(result?.message, error).toMatch(
        new RegExp(`${other} than worker ${index} \\(number 1, ${4 * (3 + index)} bytes`),
      );
    }
  });

  it('are refused in a process that has joined no cluster', () => {
    expect(() => allReduce(tf.scalar(1))).toThrow(/has not joined a cluster/);
  });
});

describe('joinCluster', () => {
  it.each([
    [{ addresses: ['127.0.0.1:1'], index: 0 }, /two or more addresses host:port/],
    [{ addresses: ['127.0.0.1:1', '127.0.0.1:1'], index: 0 }, /each another/],
    [{ addresses: ['127.0.0.1:1', 'localhost'], index: 0 }, /host:port/],
    [{ addresses: ['127.0.0.1:1', '127.0.0.1:2'], index: 2 }, /of 2 workers, 2 is none/],
    [{ addresses: ['127.0.0.1:1', '127.0.0.1:2'], index: 0, timeoutSeconds: 0 }, /above 0 s/],
  ])('refuses %o', (options, message) => {
    expect(() => joinCluster(options)).toThrow(message);
  });

  it('refuses to rename the device of tensors that exist', () => {
    const tensor = tf.scalar(1);
    expect(() => joinCluster({ addresses: ['127.0.0.1:1', '127.0.0.1:2'], index: 0 })).toThrow(/before making tensors/);
    tensor.dispose();
  });
});
