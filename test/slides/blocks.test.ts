import { expect, it } from 'vitest';
import { gridBlocks } from '../../src/slides/blocks.js';

it('blocks cover a grid once', () => {
  const visits = new Uint8Array(7 * 5);
  for (const { column, row, across, down } of gridBlocks({ columns: 7, rows: 5 }, 3)) {
    for (let y = row; y < row + down; y++) for (let x = column; x < column + across; x++) visits[y * 7 + x]!++;
  }
  expect([...visits]).toEqual(Array(7 * 5).fill(1));
});
