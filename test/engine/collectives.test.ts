import { describe, expect, it } from 'vitest';
import { allReduce, joinCluster, tf } from '../../src/engine/index.js';
import { runWorkers } from './workers.js';

const program = 'collectives-worker.mjs';

interface Exchanged {
  eager: { sum: number[]; gathered: number[] };
  compiled: { sum: number[]; gathered: number[]; others: number[]; whole: number[] };
  shape: number[];
  host: number;
  hashes: string[];
}
interface Lost {
  messages: string[];
  seconds: number;
}

describe('collectives of several processes', () => {
  it.each([2, 3])('sum and gather over %i, eagerly and in a compiled step, the same bits on each', async (count) => {
    const workers = await runWorkers<Exchanged>(program, count, { scenario: 'exchange' });
    const indices = Array.from({ length: count }, (_, index) => index);
    const rows = indices.map((index) => [index, 10 * index, index + 0.5, 1 - index]);
    const sum = [0, 1, 2, 3].map((at) => rows.reduce((total, own) => total + own[at]!, 0));
    const total = sum.reduce((a, b) => a + b);
    for (const { result, code, error } of workers) {
      expect(code, error).toBe(0);
      const { eager, compiled, shape, host, hashes } = result!;
      expect(host).toBe(indices.reduce((sum, index) => sum + index + 0.5, 0));
      expect(eager).toEqual({ sum, gathered: rows.flat() });
      const others = Array.from({ length: 8 }, (_, at) => at * total);
      expect(compiled).toEqual({ ...eager, others, whole: [count, count] });
      expect(shape).toEqual([2 * count, 2]);
      expect(hashes).toEqual(workers[0]!.result!.hashes);
      expect(new Set(hashes).size).toBe(hashes.length);
    }
  });

  it('have gradients that agree with differences', async () => {
    for (const { result, error } of await runWorkers<Record<string, number>>(program, 2, {
      scenario: 'differentiate',
    })) {
      expect(result, error).toEqual({
        gather: expect.any(Number),
        reduce: expect.any(Number),
        norm: expect.any(Number),
      });
      for (const value of Object.values(result!)) expect(value).toBeLessThan(1e-7);
    }
  });

  it('let batch norm see the rows of all, though one has none, as batch norm of all rows does', async () => {
    const workers = await runWorkers<{ errors: Record<string, number>; hashes: string[] }>(program, 3, {
      scenario: 'normalize',
    });
    for (const [index, { result, error }] of workers.entries()) {
      expect(Object.keys(result?.errors ?? {}), error).toHaveLength(index === 1 ? 4 : 7);
      for (const [name, value] of Object.entries(result!.errors)) expect(value, name).toBeLessThan(1e-5);
      expect(result!.hashes).toEqual(workers[0]!.result!.hashes);
    }
  });

  it('join a batch norm with the convolution behind it, and give each row the random numbers of the whole batch', async () => {
    for (const { result, error } of await runWorkers<Record<string, number>>(program, 2, { scenario: 'others' })) {
      expect(result, error).toEqual({ convolution: expect.any(Number), rows: 0 });
      expect(result!.convolution).toBeLessThan(1e-5);
    }
  });

  it('fail at once where a process is killed, and say who is gone', async () => {
    const [first, second, killed] = await runWorkers<Lost>(program, 3, { scenario: 'die', timeoutSeconds: 20 });
    expect(killed!.signal).toBe('SIGKILL');
    for (const [index, { result, error }] of [first!, second!].entries()) {
      expect(result?.messages, error).toHaveLength(3);
      for (const message of result!.messages) {
        expect(message).toMatch(new RegExp(`worker ${index} of 3 cannot go on, for .* Start all workers again`));
      }
      expect(result!.messages[0]).toMatch(/^the compiled train failed: .*collectives-worker/);
      expect(result!.seconds).toBeLessThan(20);
    }
  });

  it('fail after the timeout where a process hangs', async () => {
    const kill = (worker: { kill(signal: 'SIGKILL'): void } | undefined) => worker?.kill('SIGKILL');
    const [waiting] = await runWorkers<Lost>(program, 2, { scenario: 'hang', timeoutSeconds: 2 }, ([first, second]) =>
      first!.once('exit', () => kill(second)),
    );
    expect(waiting!.result?.messages[0], waiting!.error).toMatch(/did not join a collective within 2 s: it hangs/);
    expect(waiting!.result!.seconds).toBeGreaterThan(1.9);
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
