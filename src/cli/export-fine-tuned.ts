import {
  type FineTuneRun,
  keepsModel,
  keptFineTunings,
  modelFolder,
  predictedView,
  readModel,
} from '../experiments/index.js';
import type { Exported } from './exported-model.js';
import { type FinishedRun, fineTuningOf, requireUnchanged } from './finished-run.js';
import { UsageError } from './usage-error.js';

/**
 * The model of an arm of a fine-tuning run: that of its first fold and seed.
 *
 * @param arm none where the run has one only
 */
export async function fineTunedExport(run: FinishedRun, arm: string | undefined): Promise<Exported> {
  const experiment = fineTuningOf(run);
  await requireUnchanged(run, 'fine-tunings.json');
  const all = keptFineTunings(run.folder);
  const chosen = chosenRun(
    all.filter((each) => keepsModel(experiment, each)),
    arm,
  );
  const { name, start } = chosen;
  await requireUnchanged(run, ...['backbone', 'head'].map((part) => `models/${name}/${part}.safetensors`));
  const { model, classNames, imageSize } = await readModel(modelFolder(run, chosen));
  const { method, task, folds, seeds, patience, testTime } = experiment;
  const { backbone } = method;
  const ofArm = all.filter((each) => each.arm === chosen.arm).length;
  return {
    experiment,
    model: {
      ...{ backbone, model: method.encoder(model), fineTuned: { method, model, classNames } },
      view: predictedView(experiment, imageSize),
    },
    words: {
      tags: [task.masks ? 'image-segmentation' : 'image-classification'],
      title: `${backbone.name}, fine-tuned on ${run.data.map(({ name }) => name).join(', ')} (arm ${chosen.arm})`,
      about: `Probabilities of ${classNames.length} classes for ${task.masks ? 'each pixel of ' : ''}a patch of a pathology slide.`,
      made: [
        ['arm', chosen.arm],
        ['protocol', `folds: ${folds}, seeds: ${seeds}; this model is of the first fold and seed`],
        [
          'early stopping',
          patience === undefined ? 'none: the last step' : `${patience} steps after the best validation: its model`,
        ],
        ['orientations averaged at test time', testTime],
      ],
      firstWeights: start.files,
      trainings: start.trainings,
      measured:
        `On test patients. Values are means over the fine-tunings of an arm, ${ofArm} of ${chosen.arm}, of which this model ` +
        `is one.${testTime === 'none' ? '' : ` Their predictions are means over orientations (${testTime}); one pass through the model gives that of one.`}`,
      use: 'Research on pathology patches of the classes above, or the start of another fine-tuning.',
      limits: [
        'It knows no class but its own: of any other tissue, and of what is no tissue, it names one of them.',
        'Its probabilities are not calibrated.',
        ...(start.trainings.includes(null)
          ? ['What its first weights were trained on is not known: they may have seen the test patients.']
          : []),
      ],
    },
  };
}

/** The first run of the arm that is asked for. */
function chosenRun(kept: readonly FineTuneRun[], arm: string | undefined): FineTuneRun {
  const arms = [...new Set(kept.map((each) => each.arm))];
  const chosen = arm ?? (arms.length === 1 ? arms[0] : undefined);
  const found = kept.find((each) => each.arm === chosen);
  if (found) return found;
  const given = arm === undefined ? 'which' : `not "${arm}"`;
  throw new UsageError(`--arm takes one of the run's arms, ${given}: ${arms.map((each) => `"${each}"`).join(', ')}`);
}
