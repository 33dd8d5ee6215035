import { join } from 'node:path';
import { disposeTensors, readSafetensors } from '../engine/index.js';
import type { PatientResults } from '../evaluate/index.js';
import type { FineTuneExperiment } from './finetune.js';
import { casesOf } from './finetune-cases.js';
import type { FineTuneData } from './finetune-data.js';
import { modelFolder, readModel } from './finetune-model.js';
import type { TaskPredictor } from './finetune-recipe.js';
import type { FineTuneRun } from './finetune-run.js';

/** Where a run keeps the predictions of a fine-tuning. */
export const predictionsFile = ({ name }: Pick<FineTuneRun, 'name'>) => `predictions/${name}.safetensors`;

/** What the kept predictions of a fine-tuning are worth. */
export async function keptResults<Results extends PatientResults>(
  { task }: FineTuneExperiment<Results>,
  { test, by }: Pick<FineTuneData, 'test' | 'by'>,
  folder: string,
  each: FineTuneRun,
): Promise<Results> {
  const { tensors } = await readSafetensors(join(folder, predictionsFile(each)));
  try {
    return await task.results(tensors, casesOf(test, by));
  } finally {
    disposeTensors(tensors);
  }
}

/** What predictions of the kept model of a fine-tuning are worth, made again. */
export async function resultsOfKeptModel<Results extends PatientResults>(
  { task }: FineTuneExperiment<Results>,
  { test, by }: Pick<FineTuneData, 'test' | 'by'>,
  folder: string,
  each: FineTuneRun,
  predictor: TaskPredictor,
): Promise<Results> {
  const { model } = await readModel(modelFolder({ folder }, each));
  try {
    const predictions = await predictor.predict(model, test);
    const results = await task.results(predictions, casesOf(test, by));
    disposeTensors(predictions);
    return results;
  } finally {
    disposeTensors(model.parameters, model.state);
  }
}
