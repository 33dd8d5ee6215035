import { describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { drawOrder, groupsIn } from '../../src/experiments/finetune-draws.js';

/** So many groups of each list of classes. */
const groupsOf = (counts: readonly (readonly [count: number, ...classes: number[]])[]) =>
  counts.flatMap(([count, ...classes]) => Array.from({ length: count }, () => ({ classes: new Set(classes) })));
const orders = (groups: ReturnType<typeof groupsOf>, least: number, seeds = 400) =>
  Array.from({ length: seeds }, (_, seed) => drawOrder(groups, key(seed), least));

describe('the groups of an index', () => {
  it('have all classes of their patches, and the rarest of these', () => {
    // Of a, b, c: 3, 2 and 1 patches.
    const labels = Int32Array.of(0, 0, 0, 1, 1, 2);
    const rows = Int32Array.of(5, 0, 3, 1, 4, 2);
    const groups = groupsIn({ labels }, rows, ['two', 'one', 'two', 'one', 'one', 'three']);
    expect(groups.map(({ rows, classes, label }) => [rows, [...classes].sort(), label])).toEqual([
      [[0, 1, 4], [0, 1], 1],
      [[2], [0], 0],
      [[5, 3], [1, 2], 2],
    ]);
  });
});

describe('draws of patients', () => {
  it('are of all patients alike where every class is common, whichever of the classes a patient has', () => {
    // As breast-idc: 5 of 97 have one class only.
    const groups = groupsOf([
      [92, 0, 1],
      [5, 0],
    ]);
    const drawn = orders(groups, 1, 2000).flatMap((order) => order.slice(0, 5));
    const share = drawn.filter(({ classes }) => classes.size === 1).length / drawn.length;
    // Standard error .0022.
    expect(Math.abs(share - 5 / 97)).toBeLessThan(0.008);
    const counts = groups.map((group) => drawn.filter((each) => each === group).length);
    // 103 expected of each.
    expect(Math.min(...counts)).toBeGreaterThan(60);
    expect(Math.max(...counts)).toBeLessThan(150);
  });

  it('have every class as soon as there is room, and rare classes no more often than that needs', () => {
    const groups = groupsOf([
      [60, 0],
      [30, 1],
      [2, 2],
    ]);
    let both = 0;
    const all = orders(groups, 1);
    for (const order of all) {
      expect(order).toHaveLength(groups.length);
      expect(new Set(order).size).toBe(groups.length);
      expect(new Set(order.slice(0, 3).flatMap(({ classes }) => [...classes]))).toEqual(new Set([0, 1, 2]));
      if (order.slice(0, 10).filter(({ classes }) => classes.has(2)).length === 2) both++;
    }
    // Both rare ones are there where a uniform draw has both.
    expect(Math.abs(both / all.length - (10 * 9) / (92 * 91))).toBeLessThan(0.02);
  });

  it('have every class in every fold', () => {
    const groups = groupsOf([
      [40, 0],
      [9, 1],
      [4, 2],
    ]);
    for (const order of orders(groups, 3, 50)) {
      const counts = [0, 1, 2].map((label) => order.slice(0, 9).filter(({ classes }) => classes.has(label)).length);
      expect(counts).toEqual([3, 3, 3]);
      expect(new Set(order.slice(0, 3).flatMap(({ classes }) => [...classes])).size).toBe(3);
    }
  });

  it('are the same for a seed, and others for another', () => {
    const groups = groupsOf([
      [20, 0],
      [20, 1],
    ]);
    expect(drawOrder(groups, key(1), 1)).toEqual(drawOrder(groups, key(1), 1));
    expect(drawOrder(groups, key(1), 1).indexOf(groups[0]!)).not.toBe(drawOrder(groups, key(2), 1).indexOf(groups[0]!));
  });
});
