import { imagesFromBytes, simclrViews, type ViewRecipe } from '../augment/index.js';
import { type Tensor, tf } from '../engine/index.js';
import type { Key } from '../runs/index.js';
import { type GridPicture, picturesOf, showPictureGrid } from './picture-grid.js';

/** Patches to show views of. */
export interface ShownPatches {
  /** RGB, `[count, size, size, 3]`. */
  images: Uint8Array;
  /** Side, px. */
  size: number;
}

/**
 * Shows patches in a row and two random views of each below it: what a contrastive method has to tell belongs together.
 *
 * @param about caption and mark of a patch, by its number
 */
export async function showViews(
  patches: ShownPatches,
  recipe: ViewRecipe,
  key: Key,
  options: { alt: string; title?: string; save?: string },
  about: (index: number) => Pick<GridPicture, 'caption' | 'mark'> = () => ({}),
): Promise<void> {
  const { images, size } = patches;
  const originals = picturesOf(images, { height: size, width: size }, about);
  const { first, second } = tf.tidy(() =>
    simclrViews(imagesFromBytes(images, [originals.length, size, size, 3]), recipe, key),
  );
  try {
    const square = { height: recipe.size, width: recipe.size };
    const rows = [originals, picturesOf(await imageBytes(first), square), picturesOf(await imageBytes(second), square)];
    await showPictureGrid(rows.flat(), {
      columns: originals.length,
      rowTitles: ['patch', 'view 1', 'view 2'],
      cell: 96,
      ...options,
    });
  } finally {
    tf.dispose([first, second]);
  }
}

/** Images in 0..1 as bytes. */
async function imageBytes(images: Tensor): Promise<Uint8Array> {
  return Uint8Array.from(await images.data(), (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
}
