import { centerView, imagesOfDecoded, normalize } from '../augment/index.js';
import { key } from '../base/index.js';
import { tf } from '../engine/index.js';
import { BatchSource } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';
import { showImageGrid, toGridImages } from './image-grid.js';
import { patchCaption, sampleRows } from './show-patches.js';
import { imageBytes } from './views.js';

/**
 * Shows patches, their visible parts, and a method's reconstructions of the masked parts.
 *
 * @param patches to choose examples from
 * @throws Error for a method without reconstructions
 */
export async function showReconstructions(
  method: AnyMethod,
  model: ModelTensors,
  patches: BatchSource,
  { seed, save, maxPatches = 8 }: { seed: number; save?: string; maxPatches?: number },
): Promise<void> {
  const { reconstruct, views, name, backbone } = method;
  if (!reconstruct) throw new Error(`${name} reconstructs no images`);
  const { dataset, size: imageSize } = patches;
  const rows = sampleRows(dataset, maxPatches, patches.rows);
  const source = new BatchSource(dataset, { patches: rows, batchSize: rows.length, imageSize });
  const loaded = await source.load(0);
  const size = views[0]!.size;
  const { mean, std } = backbone.colors;
  const shown = tf.tidy(() => {
    const images = centerView(imagesOfDecoded(source.decode(loaded).images), { size });
    const made = reconstruct(model, normalize(images, backbone.colors), key(seed).fold('reconstructed'));
    const inColor = [made.masked, made.reconstruction].map((image) =>
      image.mul(tf.tensor1d([...std])).add(tf.tensor1d([...mean])),
    );
    return [images, ...inColor];
  });
  try {
    const gridImages = [];
    for (const [row, images] of shown.entries()) {
      const about = row === 0 ? (index: number) => patchCaption(dataset, rows[index]!) : undefined;
      gridImages.push(...toGridImages(await imageBytes(images), { height: size, width: size }, about));
    }
    await showImageGrid(gridImages, {
      columns: rows.length,
      rowTitles: ['patch', 'what is seen', 'painted'],
      cell: 96,
      alt: `${rows.length} patches, the part of each that the network sees, and its reconstruction of the rest`,
      save,
    });
  } finally {
    tf.dispose([shown, loaded]);
  }
}
