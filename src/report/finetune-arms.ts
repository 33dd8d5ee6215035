import type { PatientResults } from '../evaluate/index.js';
import {
  type Arm,
  comparisonFamily,
  type FineTuneData,
  type FineTuneExperiment,
  fineTuneRuns,
  fineTuningArms,
  trainingPatches,
} from '../experiments/index.js';
import { trainingSteps } from '../pretrain/index.js';
import { escapeMarkup } from './html.js';
import { display, html } from './show.js';
import { showTable } from './table.js';

/** Finds the arms of an experiment, and shows them, what is left out and why, and what makes the comparison fair. */
export async function findArms<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
): Promise<Arm[]> {
  const { arms, skipped } = await fineTuningArms(experiment, data);
  await showTable(
    arms.flatMap(({ name, starts }) =>
      starts.map(({ init, pretrainedOn, pretrainingSeed, files }) => ({
        ...{ name, pretrainingSeed, init },
        pretrainedOn: init === 'random' ? undefined : (pretrainedOn ?? 'unknown'),
        files: Object.values(files)
          .map((hash) => hash.slice(0, 12))
          .join(', '),
      })),
    ),
    {
      caption: 'Arms',
      columns: {
        name: 'Arm',
        init: 'First weights',
        pretrainedOn: 'Pretrained on',
        pretrainingSeed: 'Seed',
        files: 'SHA-256 begins with',
      },
    },
  );
  await showTable(skipped, { caption: 'Left out', columns: { name: 'Arm', reason: 'Why' } });
  await display(html(`<p>${fairness(experiment, data, arms).map(escapeMarkup).join(' ')}</p>`));
  return arms;
}

function fairness<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
  arms: readonly Arm[],
): string[] {
  const { folds, seeds, batchSize, settings, task } = experiment;
  const batches = trainingPatches(experiment, data, { fold: 0, seed: settings.seed as number });
  const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const family = comparisonFamily(
    experiment,
    arms.map(({ name }) => name),
  );
  const own = arms.filter(({ starts }) =>
    starts.some(({ pretrainedOn }) => pretrainedOn === data.dataset.report.dataset),
  );
  return [
    `Every arm is fine-tuned with the same budget, ${many(trainingSteps(settings, batches), 'step')} of ${batchSize} patches, on the ` +
      `same training ${data.by}, in the same order for a seed, and judged on the same test ${data.by}: ` +
      `${many(folds, 'fold')} x ${many(seeds, 'seed')}, ${many(fineTuneRuns(experiment, arms).length, 'fine-tuning')} in all.`,
    ...(own.length > 0
      ? [
          `${own.map(({ name }) => name).join(', ')}: pretrained on the training ${data.by} of the same data` +
            `${own.some(({ name }) => name.startsWith('Supervised')) ? ', Supervised with their labels' : ''}.`,
        ]
      : []),
    family.length > 0
      ? `Named before training: ${many(family.length, 'comparison')} in ${task.metrics[task.main]!.label} ` +
        `(${family.map(({ arm, against }) => `${arm} minus ${against}`).join('; ')}).`
      : 'There is one arm, and nothing to compare it with.',
  ];
}
