import type { ShardDataset } from '../datasets/index.js';
import { featureRows, nearestCentered } from '../evaluate/index.js';
import type { PretrainingData } from '../experiments/index.js';
import type { EvaluatedFeatures } from './evaluated-features.js';
import { type GridImage, showImageGrid } from './image-grid.js';
import { patchGridImages, sampleRows } from './show-patches.js';
import { palette } from './style.js';

type Frame = NonNullable<GridImage['frame']>;

/** Frames of the same class and of another, which their lines tell apart too. */
const same: Frame = { color: palette[0], dashed: false };
const other: Frame = { color: palette[1], dashed: true };

/**
 * Shows held-out patches of as many classes as possible, one a row, and beside each the training patches with the most similar
 * features, as kNN finds them, all with class and patient. A solid blue frame is one of the same class, a dashed orange one of
 * another; where a class is not known there is none.
 *
 * @param options.save also writes the image to this PNG file
 */
export async function showNearest(
  features: EvaluatedFeatures,
  { dataset, known, heldOut }: Pick<PretrainingData, 'dataset' | 'known' | 'heldOut'>,
  options: { save?: string; maxPatches?: number; neighbors?: number } = {},
): Promise<void> {
  const { save, maxPatches = 6 } = options;
  const neighbors = Math.min(options.neighbors ?? 5, known.count);
  const queries = sampleRows(dataset, maxPatches, heldOut.rows);
  const places = queries.map((row) => heldOut.rows.indexOf(row));
  const found = await nearestCentered(features.known, featureRows(features.heldOut, places), neighbors);
  const shown = queries.flatMap((query, place) => [
    { row: query, frame: undefined },
    ...Array.from(found[place]!.rows, (at) => ({
      row: known.rows[at]!,
      frame: frameOf(dataset.labels[query]!, dataset.labels[known.rows[at]!]!),
    })),
  ]);
  const images = await patchGridImages(
    dataset,
    shown.map(({ row }) => row),
  );
  const framed = shown.map(({ row, frame }, at): GridImage => {
    return { ...images[at]![0]!, caption: classAndPatient(dataset, row), ...(frame && { frame }) };
  });
  const judged = shown.filter(({ frame }) => frame);
  const right = judged.filter(({ frame }) => frame === same);
  const counted = judged.length > 0 ? `; ${right.length} of these ${judged.length} are of the same class` : '';
  await showImageGrid(framed, {
    columns: neighbors + 1,
    ...{ cell: 88, title: `Held-out patches, and the ${neighbors} most similar training patches of each`, save },
    legend:
      judged.length > 0
        ? [
            { color: same.color, words: 'solid: the same class' },
            { color: other.color, words: 'dashed: another class' },
          ]
        : [],
    alt: `${queries.length} held-out patches, each with the ${neighbors} training patches whose features are most similar${counted}`,
  });
}

/** Of a training patch beside a held-out one, by their classes; -1 is none. */
function frameOf(query: number, label: number): Frame | undefined {
  if (query < 0 || label < 0) return undefined;
  return query === label ? same : other;
}

/** Each as far as it is known; the slide where the patient is not. */
function classAndPatient({ classNames, labels, patients, slides }: ShardDataset, row: number): string {
  const patient = patients.names[patients.codes[row]!] ?? slides.names[slides.codes[row]!];
  return [classNames[labels[row]!], patient].filter(Boolean).join(', ');
}
