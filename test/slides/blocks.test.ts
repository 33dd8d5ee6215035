import { expect, it } from 'vitest';
import { forEachBlock, type GridBlock } from '../../src/slides/blocks.js';

it('covers a grid once, several blocks at a time', async () => {
  const visits = new Uint8Array(7 * 5);
  let [inWork, most] = [0, 0];
  await forEachBlock({ columns: 7, rows: 5, side: 3, atOnce: 2 }, async ({ column, row, across, down }) => {
    most = Math.max(most, ++inWork);
    await Promise.resolve();
    for (let y = row; y < row + down; y++) for (let x = column; x < column + across; x++) visits[y * 7 + x]!++;
    inWork--;
  });
  expect([...visits]).toEqual(Array(7 * 5).fill(1));
  expect(most).toBe(2);
});

it('begins no other block after a failure, and ends those in work first', async () => {
  const begun: GridBlock[] = [];
  let ended = 0;
  const working = forEachBlock({ columns: 100, rows: 1, side: 1, atOnce: 3 }, async (block) => {
    begun.push(block);
    if (block.column === 1) throw new Error('a damaged place');
    await new Promise((resolve) => setTimeout(resolve, 20));
    ended++;
  });
  await expect(working).rejects.toThrow('a damaged place');
  expect([begun.length, ended]).toEqual([3, 2]);
});
