import { applyViews, imagesOfDecoded } from '../augment/index.js';
import { key } from '../base/index.js';
import { subTensors, type Tensor, tf } from '../engine/index.js';
import { BatchSource } from '../input/index.js';
import { type AnyMethod, drawViews } from '../pretrain/index.js';
import { showImageGrid, toGridImages } from './image-grid.js';
import { patchCaption, sampleRows } from './show-patches.js';

/**
 * Shows patches in a row, as decoded for training, and below each a method's views.
 *
 * @param patches to choose examples from
 */
export async function showViews(
  method: AnyMethod,
  patches: BatchSource,
  options: { seed: number; save?: string; maxPatches?: number },
): Promise<void> {
  const { dataset, size: imageSize } = patches;
  const { seed, save, maxPatches = 8 } = options;
  const rows = sampleRows(dataset, maxPatches, patches.rows);
  const source = new BatchSource(dataset, { patches: rows, batchSize: rows.length, imageSize });
  const loaded = await source.load(0);
  const [images, ...views] = tf.tidy(() => {
    const { images } = source.decode(loaded);
    const drawn = drawViews(method.views, source, key(seed).fold('shown'));
    const views = method.views.map((recipe, view) => applyViews(images, subTensors(drawn, `view${view}.`), recipe));
    return [imagesOfDecoded(images), ...views];
  });
  try {
    const size = { height: source.size, width: source.size };
    const gridImages = toGridImages(await imageBytes(images!), size, (index) => patchCaption(dataset, rows[index]!));
    for (const [view, made] of views.entries()) {
      const side = method.views[view]!.size;
      gridImages.push(...toGridImages(await imageBytes(made), { height: side, width: side }));
    }
    await showImageGrid(gridImages, {
      columns: rows.length,
      rowTitles: ['patch', ...views.map((_, view) => `view ${view + 1}`)],
      cell: 96,
      alt: `${rows.length} patches as decoded for training, and ${views.length} views of each`,
      save,
    });
  } finally {
    tf.dispose([images!, ...views, loaded]);
  }
}

/** Images in 0..1 as bytes. */
export async function imageBytes(images: Tensor): Promise<Uint8Array> {
  return Uint8Array.from(await images.data(), (value) => Math.round(255 * Math.min(1, Math.max(0, value))));
}
