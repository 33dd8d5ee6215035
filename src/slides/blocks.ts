/** Part of a grid: its first cell, and how many cells it has. */
export interface GridBlock {
  column: number;
  row: number;
  across: number;
  down: number;
}

/**
 * Works on a grid block by block, several blocks at a time. After a failure no other block is begun, and those in work
 * end first.
 *
 * @param grid.side cells along a side of a block
 */
export async function forEachBlock(
  grid: { columns: number; rows: number; side: number; atOnce: number },
  work: (block: GridBlock) => Promise<void>,
): Promise<void> {
  const { columns, rows, side } = grid;
  const blocks: GridBlock[] = [];
  for (let row = 0; row < rows; row += side) {
    for (let column = 0; column < columns; column += side) {
      blocks.push({ column, row, across: Math.min(side, columns - column), down: Math.min(side, rows - row) });
    }
  }
  let next = 0;
  const workInTurn = async () => {
    while (next < blocks.length) {
      await work(blocks[next++]!).catch((error: Error) => {
        next = blocks.length;
        throw error;
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: grid.atOnce }, workInTurn));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
}
