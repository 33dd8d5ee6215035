import { initialFilesOf, pretrainedWords } from '../report/index.js';
import type { Exported } from './exported-model.js';
import { encoderOf, experimentOf, type FinishedRun, requireUnchanged } from './finished-run.js';

/** The backbone of a pretraining run. */
export async function pretrainedExport(run: FinishedRun): Promise<Exported> {
  await requireUnchanged(run, 'backbone.safetensors');
  const experiment = experimentOf(run);
  const model = await encoderOf(run, experiment);
  return { experiment, model, words: pretrainedWords(experiment, initialFilesOf(run.weights)) };
}
