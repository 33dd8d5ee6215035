import { key } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import {
  type ArmComparison,
  type ClassifiedCases,
  classificationMetrics,
  classifiedCases,
  compareArms,
  type Encoder,
  FeatureExtractor,
  type Features,
  fewShot,
  fewShotAccuracies,
  fitLogisticRegression,
  groupsOf,
  knnClassify,
  nearestPrototype,
  predictProbabilities,
} from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import { initialWeights, untrainedEncoder } from '../pretrain/index.js';
import type { FineTuneExperiment } from './finetune.js';
import type { Arm } from './finetune-arms.js';
import { type FineTuneData, type FineTuneFold, patchesInOrder, trainingPatches } from './finetune-data.js';

/** Classifiers on frozen features, by how they are called on pages. */
export const frozenClassifiers = ['linear probe', 'kNN', 'prototypes'] as const;
export type FrozenClassifier = (typeof frozenClassifiers)[number];

export interface FrozenFeatureResults {
  /** Accuracy of each arm on the test patches, by classifier. */
  comparisons: Record<FrozenClassifier, ArmComparison>;
  /** Of the linear probe: cost, as UNI's, and the arms for which it did not converge. */
  cost: number;
  unconverged: readonly string[];
  neighbors: number;
  /** Balanced accuracy of prototypes learned from few labels a class, of each draw, by arm; and what guessing gives. */
  learning: Record<string, { shots: number; values: number[] }[]>;
  chance: number;
}

const neighbors = 20;
const draws = 10;
const allShots = [1, 2, 5, 10, 20, 50];

/**
 * Judges each arm's features without training the backbone: logistic regression to convergence, kNN and class means on all
 * labelled training patches, and class means on 1 to 50 labels a class, as far as every class has as many. Of several
 * pretraining seeds the first is taken, and of several draws of labels the first.
 *
 * @throws InterruptedError if `signal` aborts
 */
export async function frozenFeatures(
  experiment: FineTuneExperiment<ClassifiedCases>,
  data: FineTuneData,
  arms: readonly Arm[],
  {
    onProgress,
    signal,
  }: { onProgress?: (done: number, total: number, note: string) => void; signal?: AbortSignal } = {},
): Promise<FrozenFeatureResults> {
  const { dataset, test, by: unit } = data;
  const { classNames } = dataset;
  const classes = classNames.length;
  const first = experiment.settings.seed as number;
  const train = patchesInOrder(experiment, data, allLabelled(data.folds.get(first)!));
  const k = Math.min(neighbors, train.count);
  const counts = classNames.map((_, label) => train.labels.filter((other) => other === label).length);
  const shots = allShots.filter((count) => count <= Math.min(...counts));
  const groups = groupsOf(test, unit).names;
  const cases: Record<FrozenClassifier, Record<string, ClassifiedCases>> = {
    'linear probe': {},
    kNN: {},
    prototypes: {},
  };
  const learning: FrozenFeatureResults['learning'] = {};
  const unconverged: string[] = [];
  let cost = 0;
  const view = {
    size: experiment.method.views[0]!.size,
    crop: experiment.settings.evaluationCrop,
    colors: experiment.method.backbone.colors,
  };
  const extractor = new FeatureExtractor(experiment.method.backbone, view);
  const casesOf = (probabilities: Float32Array) =>
    classifiedCases({ probabilities, labels: test.labels, patients: groups, unit, classNames });
  const certain = (predicted: Int32Array) => {
    const probabilities = new Float32Array(predicted.length * classes);
    for (const [row, label] of predicted.entries()) probabilities[row * classes + label] = 1;
    return casesOf(probabilities);
  };
  try {
    for (const [place, { name, starts }] of arms.entries()) {
      onProgress?.(place, arms.length, name);
      const [known, asked] = await featuresOf(starts[0]!.init, {
        experiment,
        data,
        extractor,
        sources: [train, test],
        signal,
      });
      const probe = await fitLogisticRegression(known!, train.labels, { classes });
      cost = probe.cost;
      if (!probe.converged) unconverged.push(name);
      cases['linear probe'][name] = casesOf(await predictProbabilities(probe, asked!));
      cases.kNN[name] = certain(
        (await knnClassify(known!, train.labels, asked!, test.labels, { classes, neighbors: k })).predictions,
      );
      cases.prototypes[name] = certain(nearestPrototype(known!, train.labels, asked!, { classes }));
      const drawn =
        shots.length === 0
          ? []
          : await fewShot(known!, train.labels, asked!, {
              ...{ classNames, shots, draws, key: key(experiment.settings.seed).fold('few shots') },
              classify: (rows, labels, queries) => nearestPrototype(rows, labels, queries, { classes }),
            });
      learning[name] = fewShotAccuracies(drawn, test.labels, classes);
      onProgress?.(place + 1, arms.length, name);
    }
  } finally {
    extractor.dispose();
  }
  const compared = (of: Record<string, ClassifiedCases>) =>
    compareArms({
      arms: Object.fromEntries(Object.entries(of).map(([name, results]) => [name, [{ results }]])),
      metrics: { accuracy: classificationMetrics.accuracy },
      key: key(experiment.settings.seed).fold('frozen features'),
      signal,
    });
  const comparisons: Record<string, ArmComparison> = {};
  for (const name of frozenClassifiers) comparisons[name] = await compared(cases[name]);
  return {
    comparisons: comparisons as FrozenFeatureResults['comparisons'],
    ...{ cost, unconverged, neighbors: k, learning, chance: 1 / classes },
  };
}

/** The labelled training patches of all folds, in ascending order. */
function allLabelled([fold]: readonly FineTuneFold[]): Int32Array {
  return Int32Array.from([...fold!.train, ...fold!.validation]).sort();
}

async function featuresOf(
  init: string,
  options: {
    experiment: FineTuneExperiment<ClassifiedCases>;
    data: FineTuneData;
    extractor: FeatureExtractor;
    sources: readonly BatchSource[];
    signal?: AbortSignal;
  },
): Promise<Features[]> {
  const { experiment, data, extractor, sources, signal } = options;
  const { method, settings } = experiment;
  const batches = trainingPatches(experiment, data, { fold: 0, seed: settings.seed as number });
  const model: Encoder['model'] =
    (await initialWeights(init, method.backbone))?.model ?? untrainedEncoder(method, { settings, batches }).model;
  try {
    const found: Features[] = [];
    for (const source of sources) found.push(await extractor.extract(model, source, { signal }));
    return found;
  } finally {
    disposeTensors(model.parameters, model.state);
  }
}
