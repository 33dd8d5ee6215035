import { type ClassifiedCases, classificationReport } from '../evaluate/index.js';
import type { FineTuneData, FineTuneExperiment, FineTuneRun } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { withModel } from './finetune-results.js';
import { showConfusion } from './show-confusion.js';
import { showErrors } from './show-errors.js';
import { showSaliency } from './show-saliency.js';

/** Shows a run's confusion matrix, its most confident errors, and what counts for its predictions. */
export async function showClassified(
  run: Run,
  { method, settings }: FineTuneExperiment<ClassifiedCases>,
  { test, dataset: { classNames } }: FineTuneData,
  best: FineTuneRun & { results: ClassifiedCases },
): Promise<void> {
  const { arm, results } = best;
  await showConfusion(classificationReport(results).confusion, {
    ...{ classNames, title: `Confusion matrix: ${arm}`, save: run.figure('confusion.png') },
  });
  await showErrors(results, test, { title: `Most confident errors: ${arm}`, save: run.figure('errors.png') });
  const view = { size: method.views[0]!.size, crop: settings.evaluationCrop, colors: method.backbone.colors };
  await withModel(run, best, (model) =>
    showSaliency({ method, model, view }, test, { save: run.figure('saliency.png') }),
  );
}
