import { inParallel, throwIfInterrupted } from '../../base/index.js';
import { type GridBlock, gridBlocks } from '../blocks.js';
import type { Slide } from '../slide.js';
import { type TissueMask, tissueFraction } from './mask.js';

/** How sharp a slide is, cell by cell: sums of the Laplacian, from which any rectangle's variance follows. */
export interface FocusMap {
  /** Size of the pixels that the Laplacian was taken of, um. */
  umPerPixel: number;
  /** Side of a cell, level-0 px. */
  cell: number;
  columns: number;
  rows: number;
  /** Of each cell, row by row: number of pixels, sum of the Laplacian, sum of its squares. Cells not looked at have 0. */
  counts: Float64Array;
  sums: Float64Array;
  squares: Float64Array;
}

/** Pixels along a side of a cell, and cells along a side of one read. */
const cellPixels = 16;
const blockCells = 32;

/**
 * Measures sharpness where there is tissue: the Laplacian of brightness (four neighbors; Pech-Pacheco et al., ICPR
 * 2000) at a stated pixel size, without which its variance says nothing.
 *
 * @param options.umPerPixel size of the pixels to look at, um; 2 unless said otherwise
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function focusMap(
  slide: Slide,
  mask: TissueMask,
  options: { umPerPixel?: number; signal?: AbortSignal } = {},
): Promise<FocusMap> {
  const umPerPixel = options.umPerPixel ?? 2;
  if (!(umPerPixel >= slide.mpp && umPerPixel <= 64)) {
    throw new RangeError(`sharpness is measured at ${slide.mpp} (the slide's own) to 64 um/px; got ${umPerPixel}`);
  }
  const step = umPerPixel / slide.mpp;
  const cell = cellPixels * step;
  const columns = Math.ceil(slide.width / cell);
  const rows = Math.ceil(slide.height / cell);
  const zeros = () => new Float64Array(columns * rows);
  const map: FocusMap = { umPerPixel, cell, columns, rows, counts: zeros(), sums: zeros(), squares: zeros() };
  const look = async (block: GridBlock) => {
    throwIfInterrupted(options.signal, `measuring the sharpness of ${slide.path}`);
    const { column, row, across, down } = block;
    const side = blockCells * cell;
    if (tissueFraction(mask, column * cell, row * cell, side, side) === 0) return;
    const width = across * cellPixels + 2;
    const height = down * cellPixels + 2;
    const place = { x: column * cell - step, y: row * cell - step };
    const { pixels } = await slide.readAt({ ...place, width, height, mpp: umPerPixel });
    addLaplacian(map, brightness(pixels), width, block);
  };
  await inParallel(gridBlocks(map, blockCells), look, slide.parallelReads);
  return map;
}

function brightness(rgb: Uint8Array): Float32Array {
  const result = new Float32Array(rgb.length / 3);
  for (let pixel = 0, at = 0; pixel < result.length; pixel++, at += 3) {
    result[pixel] = 0.299 * rgb[at]! + 0.587 * rgb[at + 1]! + 0.114 * rgb[at + 2]!;
  }
  return result;
}

/** Adds a block, whose image has a margin of one pixel, to the map. */
function addLaplacian(map: FocusMap, light: Float32Array, width: number, block: GridBlock): void {
  for (let y = 0; y < block.down * cellPixels; y++) {
    const cellRow = (block.row + Math.floor(y / cellPixels)) * map.columns + block.column;
    for (let x = 0; x < block.across * cellPixels; x++) {
      const at = (y + 1) * width + x + 1;
      const value = light[at - 1]! + light[at + 1]! + light[at - width]! + light[at + width]! - 4 * light[at]!;
      const place = cellRow + Math.floor(x / cellPixels);
      map.counts[place]!++;
      map.sums[place]! += value;
      map.squares[place]! += value * value;
    }
  }
}

/** Variance of the Laplacian over the cells whose middle lies in a rectangle (level-0 px); NaN where none was looked at. */
export function sharpness(map: FocusMap, x: number, y: number, side: number): number {
  const first = (start: number) => Math.max(0, Math.ceil(start / map.cell - 0.5));
  const [left, top] = [first(x), first(y)];
  let count = 0;
  let sum = 0;
  let squares = 0;
  for (let row = top; row < map.rows && (row + 0.5) * map.cell < y + side; row++) {
    for (let column = left; column < map.columns && (column + 0.5) * map.cell < x + side; column++) {
      const place = row * map.columns + column;
      count += map.counts[place]!;
      sum += map.sums[place]!;
      squares += map.squares[place]!;
    }
  }
  return squares / count - (sum / count) ** 2;
}
