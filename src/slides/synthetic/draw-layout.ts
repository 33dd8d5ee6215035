import { setImmediate } from 'node:timers/promises';
import { type Key, key as keyOf, throwIfInterrupted } from '../../base/index.js';
import type { TissueKind } from './kinds/index.js';
import type { Layout } from './layout.js';
import { Grain } from './noise.js';
import { paintTissue } from './paint-tissue.js';
import { material, type Painting } from './painting.js';
import type { TissueStyle } from './plan.js';
import { drawUptake, type Uptake, uptakeStep } from './uptake.js';

/** How a planned slide is to look. */
export interface Look {
  /** What the layout's blocks name by number. */
  kinds: readonly TissueKind[];
  umPerPixel: number;
  style: TissueStyle;
  /** Color of each pair of stain concentrations, as `colorTable` makes it. */
  colors: Uint8Array;
  /** Values of the mask beside the slide, for each block. */
  maskValues: readonly BlockValues[];
}

/** What a mask holds where a block's stroma is, and elsewhere in the block. */
export interface BlockValues {
  stroma: number;
  epithelium: number;
}

/** RGB, `[height, width, 3]`, and the mask, `[height, width]`, 0 on glass. */
export interface DrawnLayout {
  pixels: Uint8Array;
  mask: Uint8Array;
  width: number;
  height: number;
}

/**
 * Draws the tissue of a planned slide, block by block.
 *
 * @throws InterruptedError when `signal` aborts
 */
export async function drawLayout(layout: Layout, look: Look, key: Key, signal?: AbortSignal): Promise<DrawnLayout> {
  const { umPerPixel, colors } = look;
  const { widthMicrometers, heightMicrometers } = layout;
  const width = Math.round(widthMicrometers / umPerPixel);
  const height = Math.round(heightMicrometers / umPerPixel);
  const drawn: DrawnLayout = {
    pixels: Buffer.alloc(width * height * 3, colors.subarray(0, 3)),
    mask: new Uint8Array(width * height),
    width,
    height,
  };
  const uptakes = {
    hematoxylin: drawUptake(widthMicrometers, heightMicrometers, key.fold('hematoxylin').generator()),
    eosin: drawUptake(widthMicrometers, heightMicrometers, key.fold('eosin').generator()),
  };
  for (const [index, block] of layout.blocks.entries()) {
    throwIfInterrupted(signal, 'drawing a synthetic slide');
    const left = Math.max(0, Math.floor(block.left / umPerPixel));
    const top = Math.max(0, Math.floor(block.top / umPerPixel));
    const size = {
      width: Math.min(width, Math.ceil(block.right / umPerPixel)) - left,
      height: Math.min(height, Math.ceil(block.bottom / umPerPixel)) - top,
      umPerPixel,
    };
    const paint = key.fold('block').fold(index).generator();
    const painting = paintTissue(look.kinds[block.kind]!, size, look.style, grain(), paint);
    layDown(drawn, { painting, left, top, index }, layout, look, uptakes);
    await setImmediate();
  }
  return drawn;
}

/** Stains the pixels of one block and lays them down where the plan has the block. */
function layDown(
  drawn: DrawnLayout,
  { painting, left, top, index }: { painting: Painting; left: number; top: number; index: number },
  layout: Layout,
  { umPerPixel, colors, maskValues }: Look,
  { hematoxylin: hematoxylinUptake, eosin: eosinUptake }: { hematoxylin: Uptake; eosin: Uptake },
): void {
  const { pixels, mask, width } = drawn;
  const lastColumn = layout.widthMicrometers - 1;
  const micrometers = Int32Array.from({ length: painting.width }, (_, column) =>
    Math.min(lastColumn, Math.floor((left + column) * umPerPixel)),
  );
  const values = maskValues[index]!;
  for (let row = 0; row < painting.height; row++) {
    const y = Math.min(layout.heightMicrometers - 1, Math.floor((top + row) * umPerPixel));
    const planeRow = y * layout.widthMicrometers;
    const uptakeRow = Math.floor(y / uptakeStep) * hematoxylinUptake.columns;
    let at = row * painting.width;
    let pixel = (top + row) * width + left;
    for (let column = 0; column < painting.width; column++, at++, pixel++) {
      const x = micrometers[column]!;
      if (layout.plane[planeRow + x] !== index) continue;
      const place = uptakeRow + Math.floor(x / uptakeStep);
      // Amounts are above 0: a whole number by cutting off is a rounded one after adding a half, and much faster.
      const hematoxylin = Math.min(255, (painting.hematoxylin[at]! * hematoxylinUptake.values[place]! + 0.5) | 0);
      const eosin = Math.min(255, (painting.eosin[at]! * eosinUptake.values[place]! + 0.5) | 0);
      const color = 3 * (256 * hematoxylin + eosin);
      pixels[3 * pixel] = colors[color]!;
      pixels[3 * pixel + 1] = colors[color + 1]!;
      pixels[3 * pixel + 2] = colors[color + 2]!;
      mask[pixel] = painting.ground[at] === material.stroma ? values.stroma : values.epithelium;
    }
  }
}

let sharedGrain: Grain | undefined;

/** The grain is the same for every slide: only where it is laid differs. */
function grain(): Grain {
  sharedGrain ??= new Grain(keyOf('synthetic grain').generator());
  return sharedGrain;
}
