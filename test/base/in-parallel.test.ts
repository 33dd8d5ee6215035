import { expect, it } from 'vitest';
import { inParallel } from '../../src/base/index.js';

it('works on several items at a time and keeps their order', async () => {
  let [underWay, most] = [0, 0];
  const doubled = await inParallel(
    [30, 10, 20, 0, 5],
    async (item, index) => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, item));
      underWay--;
      return [2 * item, index];
    },
    2,
  );
  expect(doubled).toEqual([30, 10, 20, 0, 5].map((item, index) => [2 * item, index]));
  expect(most).toBe(2);
});

it('begins no other item after a failure, and ends those under way first', async () => {
  let [begun, ended] = [0, 0];
  const working = inParallel(
    [...new Array(100).keys()],
    async (item) => {
      begun++;
      if (item === 1) throw new Error('a damaged place');
      await new Promise((resolve) => setTimeout(resolve, 20));
      ended++;
    },
    3,
  );
  await expect(working).rejects.toThrow('a damaged place');
  expect([begun, ended]).toEqual([3, 2]);
});
