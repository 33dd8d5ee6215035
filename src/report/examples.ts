import type { ShardDataset } from '../datasets/index.js';
import { BatchSource, readImages } from '../input/index.js';
import { type GridPicture, picturesOf } from './picture-grid.js';

/**
 * Some patches to look at: the first of each class, of patches without classes the first of each patient or slide.
 *
 * @param rows of the index to choose from
 * @returns rows of the index, at most `most`
 */
export function exampleRows(dataset: ShardDataset, rows: Int32Array, most: number): number[] {
  const { labels, patients, slides } = dataset;
  const columns = [labels, patients.codes, slides.codes];
  const codes = columns.find((column) => new Set(rows.map((row) => column[row]!)).size > 1) ?? slides.codes;
  const first = new Map<number, number>();
  for (const row of rows) {
    const code = codes[row]!;
    if (code >= 0 && !first.has(code)) first.set(code, row);
  }
  return [...first]
    .sort(([one], [other]) => one - other)
    .map(([, row]) => row)
    .slice(0, most);
}

/** Patches as pictures, each with its class, or else its patient or slide, below it; drawn ones are marked. */
export async function examplePictures(
  dataset: ShardDataset,
  rows: readonly number[],
  imageSize?: number,
): Promise<GridPicture[]> {
  const source = new BatchSource(dataset, { patches: rows, batchSize: rows.length, imageSize });
  for await (const images of readImages(source)) {
    return picturesOf(images, { height: source.size, width: source.size }, (index) =>
      aboutPatch(dataset, rows[index]!),
    );
  }
  throw new RangeError('there are no patches to show');
}

export function aboutPatch(dataset: ShardDataset, row: number): { caption: string; mark?: string } {
  const { classNames, labels, patients, slides, synthetic } = dataset;
  const caption =
    classNames[labels[row]!] ?? patients.names[patients.codes[row]!] ?? slides.names[slides.codes[row]!] ?? '';
  return { caption, ...(synthetic[row] ? { mark: 'SYNTHETIC' } : {}) };
}
