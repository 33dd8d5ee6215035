import { interruptSignal, key } from '../base/index.js';
import { type ArmComparison, type Comparison, compareArms, type PatientResults } from '../evaluate/index.js';
import type { FineTuneExperiment } from './finetune.js';
import type { FineTuneRuns } from './finetune-runs.js';

/** What arms are compared with, where it is one of them. */
const baselines = ['random', 'ImageNet'];

/** The comparisons of an experiment, named before it runs: each arm against random weights, and against ImageNet's. */
export function comparisonFamily<Results extends PatientResults>(
  { task: { main } }: FineTuneExperiment<Results>,
  arms: readonly string[],
): Comparison[] {
  const present = baselines.filter((name) => arms.includes(name));
  const all = present.length > 0 ? present : arms.slice(0, 1);
  return all.flatMap((against, place) =>
    arms.filter((arm) => !all.slice(0, place + 1).includes(arm)).map((arm) => ({ arm, against, metric: main })),
  );
}

/**
 * Compares the arms in all metrics, and by the family in the main one.
 *
 * @throws InterruptedError when the notebook is interrupted
 */
export async function compareFineTunings<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  { arms }: Pick<FineTuneRuns<Results>, 'arms'>,
): Promise<ArmComparison> {
  const { task, settings } = experiment;
  const comparisons = comparisonFamily(experiment, Object.keys(arms));
  return compareArms({
    ...{ arms, metrics: task.metrics, key: key(settings.seed).fold('comparison'), signal: interruptSignal() },
    family: {
      name: `each arm against ${[...new Set(comparisons.map(({ against }) => against))].join(' and ')}`,
      comparisons,
    },
  });
}
