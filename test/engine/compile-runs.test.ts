import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { key, projectRoot } from '../../src/base/index.js';
import { attribute, compile, randomNormal, runOp, type Tensor, tf } from '../../src/engine/index.js';

const values = (tensor: Tensor) => Array.from(tensor.dataSync());

/** Matrix products one after the other, whose values stay of one size. */
function chain(x: Tensor, products: number): Tensor {
  let y = x;
  for (let i = 0; i < products; i++) y = tf.matMul(x, y).div(Math.sqrt(x.shape[0]!)) as Tensor;
  return y;
}

const square = (seed: number, size = 64) => randomNormal(key(seed), [size, size]);

describe('a run of a compiled step', () => {
  it('leaves the event loop free: a timer of 50 ms keeps ticking during a step of seconds', async () => {
    const step = compile((x: Tensor) => chain(x, 120));
    const run = step(square(1, 1024));
    const ticks = [performance.now()];
    const timer = setInterval(() => ticks.push(performance.now()), 50);
    await run;
    clearInterval(timer);
    ticks.push(performance.now());
    // 120 products of 1024 x 1024 are 250 Gflop: seconds, of which a held-up loop would see nothing.
    const length = ticks.at(-1)! - ticks[0]!;
    const longestGap = Math.max(...ticks.slice(1).map((time, place) => time - ticks[place]!));
    expect(longestGap).toBeLessThan(Math.max(length / 4, 200));
  });

  it('may be one of several', async () => {
    const step = compile((x: Tensor) => chain(x, 20));
    const other = compile((x: Tensor) => chain(x, 10));
    const inputs = [1, 2, 3, 4, 5, 6].map((seed) => square(seed));
    const alone: number[][] = [];
    for (const x of inputs) alone.push(values(await step(x)), values(await other(x)));
    const together = await Promise.all(inputs.flatMap((x) => [step(x), other(x)]));
    expect(together.map(values)).toEqual(alone);
  });

  it('goes on when its inputs and its function are disposed of', async () => {
    const before = tf.memory().numTensors;
    const outside = square(9);
    const step = compile((x: Tensor) => chain(x, 200).add(outside));
    const inputs = [square(1), square(1), square(2)];
    const expected = values(await step(inputs[0]!));
    const runs = inputs.slice(1).map((x) => step(x));
    step.dispose();
    tf.dispose([...inputs, outside]);
    const [one, other] = await Promise.all(runs);
    expect(values(one!)).toEqual(expected);
    expect(values(other!)).not.toEqual(expected);
    tf.dispose([one!, other!]);
    await expect(step(square(1))).rejects.toThrow(/after its dispose/);
    // The first result and the last input.
    expect(tf.memory().numTensors).toBe(before + 2);
  });

  it('that fails names the op, its line and the reason, and the next one works', async () => {
    let line = 0;
    const step = compile(
      (x: Tensor) => {
        line = Number(/:(\d+):\d+\)?$/.exec(new Error().stack!.split('\n')[1]!)![1]);
        const checked = runOp(
          'CheckNumerics',
          [attribute.type('T', 'float32'), attribute.string('message', 'x is bad')],
          [x.add(1)],
        );
        return checked.mul(2);
      },
      { name: 'checkedStep' },
    );
    expect(values(await step(tf.scalar(1)))).toEqual([4]);
    const error = (await step(tf.scalar(Number.NaN)).catch((error: unknown) => error)) as Error;
    expect(error.message).toMatch(/^the compiled checkedStep failed: the op CheckNumerics, called at /);
    expect(error.message).toContain(`compile-runs.test.ts:${line + 1}:`);
    expect(error.message).toMatch(/x is bad.*NaN/);
    expect(values(await step(tf.scalar(2)))).toEqual([6]);
  });
});

describe('the process', () => {
  const endings = {
    'process.exit': 'setTimeout(() => process.exit(0), 20);',
    'an uncaught error': 'setTimeout(() => { throw new Error("on purpose"); }, 20);',
    'nobody waiting': '',
  };
  for (const [ending, code] of Object.entries(endings)) {
    it(`ends in good order with runs under way: ${ending}`, () => {
      const program = `
        import { compile, key, tf } from ${JSON.stringify(`${projectRoot}/dist/index.js`)};
        import { randomNormal } from ${JSON.stringify(`${projectRoot}/dist/engine/index.js`)};
        const step = compile((x) => { let y = x; for (let i = 0; i < 100; i++) y = tf.matMul(x, y).div(23); return y; });
        const x = randomNormal(key(1), [512, 512]);
        await step(x);
        step(x); step(x);
        ${code}`;
      const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
      expect(child.signal, child.stderr).toBe(null);
      expect(child.status, child.stderr).toBe(ending === 'an uncaught error' ? 1 : 0);
    });
  }
});
