import { describe, expect, it } from 'vitest';
import { key } from '../../src/runs/index.js';
import { batchOrder } from '../../src/training/index.js';

const make = (seed = 1) => batchOrder({ count: 10, batchSize: 3, key: key(seed) });
const epoch = (order: ReturnType<typeof make>, number: number) =>
  [0, 1, 2].flatMap((step) => Array.from(order.items(3 * number + step)));

describe('batchOrder', () => {
  it('shows no item twice in an epoch, and another order in the next', () => {
    const order = make();
    expect(order.stepsPerEpoch).toBe(3);
    expect(new Set(epoch(order, 0)).size).toBe(9);
    expect(epoch(order, 1)).not.toEqual(epoch(order, 0));
    const seen = new Set(Array.from({ length: 20 }, (_, number) => epoch(order, number)).flat());
    expect([...seen].sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('gives a step the same items whatever was asked before', () => {
    const forward = make();
    epoch(forward, 0);
    expect(epoch(forward, 2)).toEqual(epoch(make(), 2));
    expect(epoch(forward, 0)).toEqual(epoch(make(), 0));
    expect(epoch(make(2), 0)).not.toEqual(epoch(make(1), 0));
  });

  it('refuses a batch that the data do not fill', () => {
    expect(() => batchOrder({ count: 5, batchSize: 8, key: key(1) })).toThrow(/5 items do not fill one batch of 8/);
  });
});
