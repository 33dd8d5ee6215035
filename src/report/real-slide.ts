import { type DatasetDefinition, type SlideDataset, sampleDataset } from '../datasets/index.js';
import type { Run } from '../runs/index.js';
import { compileWithProgress } from './compile-dataset.js';
import { showText } from './display.js';
import { showPatches } from './show-patches.js';
import { showSlideCut, showSlideFacts } from './slide-cut.js';

/**
 * Cuts the real sample slide by a definition's geometry, and shows the patches and how the slide was read. It has no
 * labels and is a separate dataset.
 *
 * @returns that dataset, for the provenance
 */
export async function showRealSlide(
  run: Run,
  like: DatasetDefinition,
  options: { seed?: number; workers?: number } = {},
): Promise<SlideDataset> {
  const sample = sampleDataset(like);
  showText(
    `**A real slide**, ${sample.definition.title} (${sample.definition.licence.name}), cut in the same way. It has no labels and ` +
      'is a separate dataset.',
  );
  await showSlideCut(sample, { seed: options.seed, save: run.figure('real-slide.png') });
  const compiled = await compileWithProgress(run, sample, options);
  for (const facts of compiled.report.slides) await showSlideFacts(facts);
  await showPatches(compiled, { save: run.figure('real-patches.png') });
  return sample;
}
