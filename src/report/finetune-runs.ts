import { join } from 'node:path';
import { interruptSignal } from '../base/index.js';
import type { PatientResults } from '../evaluate/index.js';
import {
  type Arm,
  type FineTuneData,
  type FineTuneExperiment,
  type FineTuneRuns,
  fineTuneRuns,
  runFineTunings,
  trainingFolder,
  trainingPatches,
} from '../experiments/index.js';
import { trainingSteps } from '../pretrain/index.js';
import type { Run } from '../runs/index.js';
import { FineTuningChart } from './finetune-chart.js';

/** Fine-tunes the arms (see `runFineTunings`), with a live chart; the kernel's interrupt stops it. */
export async function fineTuneArms<Results extends PatientResults>(
  run: Run,
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
  arms: readonly Arm[],
): Promise<FineTuneRuns<Results>> {
  const { settings, task } = experiment;
  const batches = trainingPatches(experiment, data, { fold: 0, seed: settings.seed as number });
  const chart = new FineTuningChart({
    runs: fineTuneRuns(experiment, arms),
    steps: trainingSteps(settings, batches),
    validation: `validation, ${task.metrics[task.main]!.label}`,
  });
  try {
    return await runFineTunings(experiment, data, arms, {
      run,
      onEvent: (each, event) => chart.add(each, event, join(trainingFolder(run, each.name), 'events.jsonl')),
      signal: interruptSignal(),
    });
  } finally {
    await chart.finish();
  }
}
