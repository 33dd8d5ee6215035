import { afterAll, beforeAll, expect, it } from 'vitest';
import { prepareCompile } from '../../bench/kills-data/compile.mjs';
import { key } from '../../src/base/index.js';

let trials: Awaited<ReturnType<typeof prepareCompile>>;
beforeAll(async () => {
  trials = await prepareCompile(3);
});
afterAll(() => trials.close());

/** A sample of the campaign kills-data: one process killed; of two on one folder, one killed. */
it.each([2, 5])(
  'compiling that was killed leaves, run again, what an undisturbed run leaves (%s)',
  async (trial) => {
    const { faults } = await trials.run(key('sample').fold(trial).generator() as never);
    expect(faults).toEqual([]);
  },
  120_000,
);
