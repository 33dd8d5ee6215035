import { key } from '../base/index.js';
import {
  accuracyMonitor,
  alignmentMonitor,
  collapseMonitor,
  type Monitor,
  MonitoredFeatures,
} from '../evaluate/index.js';
import type { PretrainOptions } from '../pretrain/index.js';
import type { PretrainExperiment } from './pretrain.js';
import type { PretrainingData } from './pretraining-data.js';
import { stepsBetweenEvaluations } from './watching.js';

/**
 * What is measured during a pretraining: kNN if there are classes, by which the best model is then kept, collapse, and
 * alignment of views.
 *
 * @param signal ends an evaluation
 */
export function pretrainingMonitors(
  experiment: PretrainExperiment,
  data: PretrainingData,
  signal?: AbortSignal,
): { monitors: Monitor[]; best: PretrainOptions['best'] } {
  const { method, settings, neighbors } = experiment;
  const { bank, heldOut } = data.watched;
  const shared = { everySteps: stepsBetweenEvaluations(experiment, data), features: new MonitoredFeatures(signal) };
  const collapse = collapseMonitor({ ...shared, patches: heldOut });
  const views = { patches: data.viewed, views: method.views[0]!, key: key(settings.seed).fold('alignment') };
  const always = [collapse, alignmentMonitor({ ...views, ...shared })];
  if (!bank) return { monitors: always, best: undefined };
  // As the comparison at the end: of a few patches all vote.
  const most = Math.min(neighbors, bank.count);
  const accuracy = accuracyMonitor({ ...shared, bank, queries: heldOut, neighbors: most });
  return { monitors: [accuracy, ...always], best: { metric: 'knnAccuracy' } };
}
