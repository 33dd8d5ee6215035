import type { BatchSource } from '../input/index.js';
import { trainingSteps } from '../pretrain/index.js';
import type { PretrainExperiment } from './pretrain.js';

/**
 * The most that evaluations take, as a share of the time of the training. What compiles for the first one comes on top, half a
 * second or more: with it, those of the six demo pages were 3.2 to 4.7 % of trainings of 22 to 40 s (two cores).
 */
export const watchedShare = 0.03;

/** Patches of which two views are compared in an evaluation. */
export const viewedPatches = 64;

/** Of fewer patches an accuracy says nothing: as many are evaluated even where a training is too short for it. */
const fewestPatches = 64;

/** The first, the last, and one between. */
const fewestEvaluations = 3;

/** The training that is watched, and what it is asked for. */
type Watched = Pick<PretrainExperiment, 'method' | 'settings' | 'batchSize' | 'scale' | 'monitorEvery'>;
type Training = Pick<BatchSource, 'stepsPerEpoch'>;

/**
 * The time to evaluate a patch, in that of training on one, as measured at demo scale on two cores: .2 to .4 for methods that train
 * on several views of a patch, .56 and .65 for MAE and supervised training, which take one.
 */
export const evaluationCost = ({ method }: Pick<Watched, 'method'>): number => (method.views.length > 1 ? 0.4 : 0.65);

/** How many patches all evaluations of a training may take together. */
function budgetOf(experiment: Watched, train: Training): number {
  const { settings, batchSize } = experiment;
  return (watchedShare * trainingSteps(settings, train) * batchSize) / evaluationCost(experiment);
}

/**
 * How many of the bank's and the held-out patches each evaluation takes: all, or as many as leave three evaluations, the fewest of
 * a training, within `watchedShare`; in the proportion of the two. At smoke scale all: what pages show has to happen within
 * seconds.
 */
export function watchedCounts(
  experiment: Watched,
  { train, bank, heldOut }: { train: Training; bank: number; heldOut: number },
): { bank: number; heldOut: number } {
  const most = budgetOf(experiment, train) / fewestEvaluations - 2 * viewedPatches;
  const share = experiment.scale === 'smoke' ? 1 : Math.min(1, Math.max(0, most) / (bank + heldOut));
  const cut = (count: number) => Math.min(count, Math.max(fewestPatches, Math.floor(share * count)));
  return { bank: cut(bank), heldOut: cut(heldOut) };
}

/**
 * Steps between two evaluations: those of the scale, or as many more as keep all evaluations within `watchedShare`; at smoke
 * scale always the scale's.
 */
export function stepsBetweenEvaluations(
  experiment: Watched,
  { train, watched }: { train: Training; watched: { bank: { count: number } | null; heldOut: { count: number } } },
): number {
  const { settings, scale, monitorEvery } = experiment;
  if (scale === 'smoke') return monitorEvery;
  const steps = trainingSteps(settings, train);
  const each = watched.heldOut.count + (watched.bank?.count ?? 0) + 2 * viewedPatches;
  // Between n evaluations, the first before the first step, there are n - 1 spaces.
  const spaces = Math.max(1, Math.floor(budgetOf(experiment, train) / each) - 1);
  return Math.max(monitorEvery, Math.ceil(steps / spaces));
}
