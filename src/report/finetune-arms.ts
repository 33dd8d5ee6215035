import type { PatientResults } from '../evaluate/index.js';
import {
  type Arm,
  type ArmStart,
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
        pretrainedOn: pretrainedOn.join(', ') || undefined,
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
  // Every fold must fill a batch.
  const steps = [...data.folds].flatMap(([seed, each]) =>
    each.map((_, fold) => trainingSteps(settings, trainingPatches(experiment, data, { fold, seed }))),
  );
  const many = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const budget = [...new Set(steps)].map((count) => many(count, 'step')).join(' or ');
  const family = comparisonFamily(
    experiment,
    arms.map(({ name }) => name),
  );
  const { dataset } = data.dataset.report;
  const namesOf = (which: (start: ArmStart) => boolean) =>
    arms
      .filter(({ starts }) => starts.some(which))
      .map(({ name }) => name)
      .join(', ');
  const own = namesOf(({ pretrainedOn }) => pretrainedOn.includes(dataset));
  const labelled = namesOf(({ labelsOf }) => labelsOf.includes(dataset));
  return [
    `Every arm is fine-tuned with the same budget, ${budget} of ${batchSize} patches, on the ` +
      `same ${data.labelled < data.available ? 'labelled' : 'training'} ${data.by} in the same order for a seed, and judged on the same test ${data.by}: ` +
      `${many(folds, 'fold')} x ${many(seeds, 'seed')}, ${many(fineTuneRuns(experiment, arms).length, 'fine-tuning')} in all.`,
    ...(own
      ? [
          `${own}: pretrained on the training ${data.by} of the same data${labelled && `, ${labelled} with their labels`}.`,
        ]
      : []),
    ...(labelled && data.labelled < data.available
      ? [
          `${labelled}: pretrained with the labels of all ${data.available} training ${data.by} (a fine-tuned model: of some or all), of ` +
            `which this page uses only ${data.labelled}: not a comparison of equal labels.`,
        ]
      : []),
    family.length > 0
      ? `Named before training: ${many(family.length, 'comparison')} in ${task.metrics[task.main]!.label} ` +
        `(${family.map(({ arm, against }) => `${arm} minus ${against}`).join('; ')}).`
      : 'There is one arm, and nothing to compare it with.',
  ];
}
