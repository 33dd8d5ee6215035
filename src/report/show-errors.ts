import { type ClassifiedCases, confidentErrors } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import { percent } from './charts.js';
import { showImageGrid } from './image-grid.js';
import { sayInstead } from './say-instead.js';
import { patchCaption, patchGridImages } from './show-patches.js';

export interface ErrorsOptions {
  /** How many at most. */
  most?: number;
  title?: string;
  /** Also writes the image to this PNG file. */
  save?: string;
}

/**
 * Shows the patches that were wrongly classified with the highest probabilities: true and predicted class, the probability,
 * the slide, and the patch's left top corner in level-0 px.
 *
 * @param patches whose predictions the cases are, in their order
 * @throws RangeError if the cases are not those of the patches
 */
export async function showErrors(
  cases: ClassifiedCases,
  { dataset, rows }: Pick<BatchSource, 'dataset' | 'rows'>,
  { most = 9, title = 'Most confident errors', save }: ErrorsOptions = {},
): Promise<void> {
  const { classNames, labels } = cases;
  if (rows.length !== labels.length) {
    throw new RangeError(`${labels.length} cases are not predictions of ${rows.length} patches`);
  }
  labels.forEach((label, place) => {
    const name = dataset.classNames[dataset.labels[rows[place]!]!];
    if (name === classNames[label]) return;
    throw new RangeError(
      `case ${place} is "${classNames[label]}", its patch "${name}": give patches in the order of the predictions`,
    );
  });
  const errors = confidentErrors(cases, most);
  if (errors.length === 0) return sayInstead(`All ${labels.length} patches were classified correctly.`);
  const images = await patchGridImages(
    dataset,
    errors.map((error) => rows[error.case]!),
  );
  const words = errors.map(({ case: place, label, predicted, probability }) => {
    const row = rows[place]!;
    const slide = dataset.slides.names[dataset.slides.codes[row]!]!;
    const at = (name: string) => Number(dataset.index.get(name, row)).toLocaleString('en-US');
    // Precut patches have no place.
    const where = dataset.report.precut ? '' : `, at (${at('x')}, ${at('y')}) px`;
    return `${classNames[label]}, taken for ${classNames[predicted]} (${percent(probability)}); ${slide}${where}`;
  });
  await showImageGrid(
    images.map(([patch], place) => ({
      ...patch!,
      mark: patchCaption(dataset, rows[errors[place]!.case]!).mark,
      caption: words[place],
    })),
    {
      columns: Math.min(3, errors.length),
      ...{ cell: 116, title, save },
      alt: `${title}, ${errors.length} of ${labels.length} patches: ${words.join('; ')}`,
    },
  );
}
