/** Part of a grid: its first cell, and how many cells it has. */
export interface GridBlock {
  column: number;
  row: number;
  across: number;
  down: number;
}

/** Divides a grid into blocks of `side` cells along a side, smaller at its right and bottom, row by row. */
export function gridBlocks({ columns, rows }: { columns: number; rows: number }, side: number): GridBlock[] {
  const blocks: GridBlock[] = [];
  for (let row = 0; row < rows; row += side) {
    for (let column = 0; column < columns; column += side) {
      blocks.push({ column, row, across: Math.min(side, columns - column), down: Math.min(side, rows - row) });
    }
  }
  return blocks;
}
