import type { Key } from '../../runs/index.js';
import { Lattice } from './noise.js';

/** Glass around the tissue, um: one patch wide, so that patches on a grid from the slide's corner fit the tissue. */
export const marginMicrometers = 200;

/** Reach of the tissue's uneven outline beyond the planned rectangle, um. */
export const overhang = 30;

/** Which part of a slide is which kind of tissue. */
export interface Layout {
  /** Size of the slide, um. */
  widthMicrometers: number;
  heightMicrometers: number;
  blocks: readonly Block[];
  /** Index of the block at each micrometer, row by row; `glass` where there is no tissue. */
  plane: Int16Array;
}

/** A part of the slide that holds one kind; its rectangle reaches as far as the uneven border may go, um. */
export interface Block {
  /** Index into the slide's kinds. */
  kind: number;
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export const glass = -1;

/**
 * Plans a slide: a piece of tissue of `columns` by `rows` patches, divided into blocks of one kind each, every kind
 * as often as the number of blocks allows. Borders between blocks waver by up to 7 um.
 */
export function planLayout(
  size: { columns: number; rows: number; blockPatches: number; patchMicrometers: number },
  kindCount: number,
  key: Key,
): Layout {
  const { columns, rows, blockPatches, patchMicrometers } = size;
  const tissueWidth = columns * patchMicrometers;
  const tissueHeight = rows * patchMicrometers;
  const widthMicrometers = tissueWidth + 2 * marginMicrometers;
  const heightMicrometers = tissueHeight + 2 * marginMicrometers;
  const blockColumns = Math.ceil(columns / blockPatches);
  const blockRows = Math.ceil(rows / blockPatches);
  const side = blockPatches * patchMicrometers;
  const waver = 7;
  const reach = overhang + waver;
  const kinds = evenDraw(blockColumns * blockRows, kindCount, key.fold('kinds'));
  const blocks = kinds.map((kind, index) => {
    const column = index % blockColumns;
    const row = Math.floor(index / blockColumns);
    const left = marginMicrometers + column * side;
    const top = marginMicrometers + row * side;
    return {
      kind,
      left: left - reach,
      top: top - reach,
      right: Math.min(left + side, marginMicrometers + tissueWidth) + reach,
      bottom: Math.min(top + side, marginMicrometers + tissueHeight) + reach,
    };
  });

  const lattice = new Lattice(key.fold('borders').generator());
  const plane = new Int16Array(widthMicrometers * heightMicrometers).fill(glass);
  for (let y = marginMicrometers - overhang; y < marginMicrometers + tissueHeight + overhang; y++) {
    for (let x = marginMicrometers - overhang; x < marginMicrometers + tissueWidth + overhang; x++) {
      const outline = 11 + 14 * lattice.noise(x / 85, y / 85) + 4 * lattice.noise(x / 19, y / 19);
      if (insideRounded(x - marginMicrometers, y - marginMicrometers, tissueWidth, tissueHeight) + outline < 0)
        continue;
      const bentX = x - marginMicrometers + waver * lattice.noise(x / 45 + 60, y / 45);
      const bentY = y - marginMicrometers + waver * lattice.noise(x / 45, y / 45 + 60);
      const column = Math.min(blockColumns - 1, Math.max(0, Math.floor(bentX / side)));
      const row = Math.min(blockRows - 1, Math.max(0, Math.floor(bentY / side)));
      plane[y * widthMicrometers + x] = row * blockColumns + column;
    }
  }
  return { widthMicrometers, heightMicrometers, blocks, plane };
}

/** `count` draws from `kinds` kinds, each as often as the others, within one. */
function evenDraw(count: number, kinds: number, key: Key): number[] {
  const random = key.generator();
  const drawn: number[] = [];
  while (drawn.length < count) {
    drawn.push(...random.shuffle(Array.from({ length: kinds }, (_, kind) => kind)));
  }
  return random.shuffle(drawn.slice(0, count));
}

/** Distance from the edge of a rectangle with round corners, um; negative outside. */
export function insideRounded(x: number, y: number, width: number, height: number): number {
  const corner = 45;
  const fromMiddleX = Math.abs(x - width / 2) - (width / 2 - corner);
  const fromMiddleY = Math.abs(y - height / 2) - (height / 2 - corner);
  if (fromMiddleX > 0 && fromMiddleY > 0) return corner - Math.hypot(fromMiddleX, fromMiddleY);
  return corner - Math.max(fromMiddleX, fromMiddleY);
}

/** Kind at points `umPerCell` apart, for the record that goes with the slide; -1 on glass. */
export function labelMap(layout: Layout, umPerCell: number) {
  const width = Math.floor(layout.widthMicrometers / umPerCell);
  const height = Math.floor(layout.heightMicrometers / umPerCell);
  const data: number[] = [];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const y = Math.floor((row + 0.5) * umPerCell);
      const x = Math.floor((column + 0.5) * umPerCell);
      const block = layout.plane[y * layout.widthMicrometers + x]!;
      data.push(block === glass ? -1 : layout.blocks[block]!.kind);
    }
  }
  return { umPerCell, width, height, data };
}
