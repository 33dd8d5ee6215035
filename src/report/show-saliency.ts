import { centerView, imagesOfDecoded, normalize } from '../augment/index.js';
import { resizeBilinear, type Tensor, tf } from '../engine/index.js';
import { gradCam, type Predictor } from '../finetune/index.js';
import { BatchSource } from '../input/index.js';
import { heatColor } from '../slides/index.js';
import { percent } from './charts.js';
import { type GridImage, showImageGrid, toGridImages } from './image-grid.js';
import { sayInstead } from './say-instead.js';
import { patchCaption, sampleRows } from './show-patches.js';
import { imageBytes } from './views.js';

export interface SaliencyOptions {
  maxPatches?: number;
  /** Also writes the image to this PNG file. */
  save?: string;
}

/** How much of a map's picture is the map. */
const opacity = 0.55;

/**
 * Shows patches and, beside each, what counts for its predicted class: Grad-CAM of a convolutional network (see `gradCam`), or
 * where the class token of a vision transformer attends to, whatever the class. Each map is scaled to its own maximum.
 *
 * @param patches to choose examples from
 */
export async function showSaliency(
  predictor: Predictor,
  patches: BatchSource,
  { maxPatches = 6, save }: SaliencyOptions = {},
): Promise<void> {
  const { method, model, view } = predictor;
  const { backbone, predict, classify } = method;
  if (!predict || !classify) return sayInstead(`${method.name} has no classifier, of which a map could be shown.`);
  if ('patchSize' in backbone && !backbone.attention) {
    return sayInstead(`The features of ${backbone.name} are the mean of its patches: no class token attends to them.`);
  }
  const { dataset, size: imageSize } = patches;
  const rows = sampleRows(dataset, maxPatches, patches.rows);
  const source = new BatchSource(dataset, { patches: rows, batchSize: rows.length, imageSize });
  const loaded = await source.load(0);
  const side = view.size;
  const made = tf.tidy(() => {
    const crop = Math.round((view.crop ?? 1) * source.size);
    const images = centerView(imagesOfDecoded(source.decode(loaded).images), { crop, size: side });
    const seen = normalize(images, view.colors);
    const probabilities = tf.softmax(predict(model, seen)) as Tensor;
    const maps =
      backbone.attention?.(method.encoder(model), seen) ?? gradCam(predictor, seen, probabilities.argMax(1).toInt());
    return { images, probabilities, maps: resizeBilinear(maps.expandDims(3), [side, side]) };
  });
  try {
    const shown = toGridImages(await imageBytes(made.images), { height: side, width: side }, (index) =>
      patchCaption(dataset, rows[index]!),
    );
    const [maps, probabilities] = await Promise.all([made.maps.data(), made.probabilities.data()]);
    const classes = made.probabilities.shape[1]!;
    const words = rows.map((_, place) => {
      const own = Array.from(probabilities.subarray(place * classes, (place + 1) * classes));
      const most = Math.max(...own);
      return `predicted ${dataset.classNames[own.indexOf(most)]} (${percent(most)})`;
    });
    const painted = shown.map((image, place): GridImage => {
      const map = maps.subarray(place * side ** 2, (place + 1) * side ** 2) as Float32Array;
      return { ...blend(image, map), caption: words[place] };
    });
    const kind = backbone.attention ? 'attention of the class token in the last block' : 'Grad-CAM';
    await showImageGrid(
      shown.flatMap((image, place) => [image, painted[place]!]),
      {
        columns: rows.length > 1 ? 4 : 2,
        ...{ cell: 84, title: backbone.attention ? 'Attention' : 'Grad-CAM', save },
        legend: [
          { color: hex(heatColor(0)), words: 'nothing' },
          { color: hex(heatColor(0.5)), words: 'half of the most' },
          { color: hex(heatColor(1)), words: 'most' },
        ],
        alt: `${rows.length} patches, each with its ${kind}: ${words
          .map((text, place) => `${shown[place]!.caption} ${text}`)
          .join('; ')}`,
      },
    );
  } finally {
    tf.dispose([made, loaded]);
  }
}

/** A map over its image in gray, from 0 to its maximum; a map of zeros is all of the lowest color. */
function blend({ pixels, width, height }: GridImage, map: Float32Array) {
  const most = map.reduce((held, value) => Math.max(held, value), 0) || 1;
  const mixed = new Uint8Array(pixels.length);
  map.forEach((value, pixel) => {
    const gray = (pixels[3 * pixel]! + pixels[3 * pixel + 1]! + pixels[3 * pixel + 2]!) / 3;
    heatColor(Math.max(0, value / most)).forEach((channel, index) => {
      mixed[3 * pixel + index] = (1 - opacity) * gray + opacity * channel;
    });
  });
  return { pixels: mixed, width, height };
}

function hex(channels: readonly number[]): string {
  return `#${channels.map((channel) => Math.round(channel).toString(16).padStart(2, '0')).join('')}`;
}
