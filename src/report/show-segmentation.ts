import type { ShardDataset } from '../datasets/index.js';
import type { SegmentedImage } from '../evaluate/index.js';
import { percent } from './charts.js';
import { showImageGrid } from './image-grid.js';
import { sayInstead } from './say-instead.js';
import { patchGridImages } from './show-patches.js';
import { ignoredColor, maskColor, palette } from './style.js';

/** A patch with its true and its predicted classes. */
export interface SegmentedRow extends Omit<SegmentedImage, 'name' | 'patient'> {
  /** Of the dataset's index. */
  row: number;
}

export interface SegmentationOptions {
  /** Mask value whose pixels do not count. */
  ignored?: number;
  title?: string;
  /** Also writes the image to this PNG file. */
  save?: string;
}

const rightColor = '#e3e6ea';
const wrongColor = palette[1];

/** Shows patches, each with its mask, its prediction, and where they differ; below, what the colors mean. */
export async function showSegmentation(
  dataset: ShardDataset,
  patches: readonly SegmentedRow[],
  { ignored, title = 'Masks and predictions', save }: SegmentationOptions = {},
): Promise<void> {
  if (patches.length === 0) return sayInstead('There are no segmented patches to show.');
  const images = await patchGridImages(
    dataset,
    patches.map(({ row }) => row),
  );
  const colorOf = (label: number) => (label === ignored ? ignoredColor : maskColor(label));
  const words: string[] = [];
  const grid = patches.flatMap(({ width, height, predicted, mask }, place) => {
    const painted = (colors: (pixel: number) => string) => paint({ width, height }, colors);
    const counted = mask.filter((label) => label !== ignored).length;
    const wrong = mask.filter((label, pixel) => label !== ignored && label !== predicted[pixel]).length;
    words.push(counted === 0 ? 'no pixel counts' : `${percent(wrong / counted)} wrong`);
    const errors = painted((pixel) => {
      if (mask[pixel] === ignored) return ignoredColor;
      return mask[pixel] === predicted[pixel] ? rightColor : wrongColor;
    });
    return [
      images[place]![0]!,
      { ...painted((pixel) => colorOf(mask[pixel]!)), caption: 'mask' },
      { ...painted((pixel) => colorOf(predicted[pixel]!)), caption: 'prediction' },
      { ...errors, caption: words[place] },
    ];
  });
  const found = new Set(patches.flatMap(({ mask, predicted }) => [...new Set([...mask, ...predicted])]));
  const names = dataset.classNames.flatMap((words, label) =>
    found.has(label) ? [{ color: maskColor(label), words }] : [],
  );
  await showImageGrid(grid, {
    columns: 4,
    ...{ cell: 84, title, save },
    legend: [
      ...names,
      { color: rightColor, words: 'right' },
      { color: wrongColor, words: 'wrong' },
      ...(ignored !== undefined && found.has(ignored) ? [{ color: ignoredColor, words: 'does not count' }] : []),
    ],
    alt: `${title} of ${patches.length} patches: ${words.join(', ')}`,
  });
}

function paint({ width, height }: { width: number; height: number }, colorOf: (pixel: number) => string) {
  const pixels = new Uint8Array(width * height * 3);
  for (let pixel = 0; pixel < width * height; pixel++) {
    pixels.set(Buffer.from(colorOf(pixel).slice(1), 'hex'), 3 * pixel);
  }
  return { pixels, width, height };
}
