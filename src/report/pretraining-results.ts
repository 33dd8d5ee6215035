import { canonicalJson, digestOfFile, interruptSignal, key } from '../base/index.js';
import { disposeTensors, writeSafetensors } from '../engine/index.js';
import { colorHistograms, compareFeatures, type FeatureComparison } from '../evaluate/index.js';
import {
  costOfTraining,
  costsFile,
  type PretrainExperiment,
  type PretrainingData,
  splitName,
} from '../experiments/index.js';
import { toTorch } from '../models/index.js';
import {
  initialWeights,
  type Pretrained,
  pretrainedEncoder,
  type TrainingCost,
  untrainedEncoder,
} from '../pretrain/index.js';
import type { Metric, Run } from '../runs/index.js';
import { duration } from './progress.js';
import { display, html } from './show.js';
import { comparisonMetrics } from './show-comparison.js';

/**
 * Compares a pretrained backbone with the same network before training, with random weights and, where it began with
 * others, with those, and with color histograms, by kNN on the held-out patches; null where no patch has a class, by which
 * features could be judged.
 *
 * @throws Error if the files that training began from have changed since
 */
export async function compareWithBaselines(
  { method, settings, neighbors }: PretrainExperiment,
  { bank, heldOut, train }: PretrainingData,
  { encoder, initialFiles }: Pick<Pretrained, 'encoder' | 'initialFiles'>,
): Promise<FeatureComparison | null> {
  if (!bank) return null;
  const signal = interruptSignal();
  const random = untrainedEncoder(method, { settings, batches: train });
  const initial = await initialWeights(settings.init ?? 'random', method.backbone);
  const first = initial?.model;
  try {
    if (initial && canonicalJson(initial.files) !== canonicalJson(initialFiles)) {
      throw new Error(`init ${settings.init}: its files have changed since the training started`);
    }
    return await compareFeatures({
      bank,
      queries: heldOut,
      features: {
        [`${method.name} pretrained`]: encoder,
        ...(first && { 'first weights': pretrainedEncoder(method, { settings }, first) }),
        'random initialization': random,
        'color histogram': (patches) => colorHistograms(patches, signal),
      },
      neighbors: Math.min(neighbors, bank.count),
      key: key(settings.seed).fold('comparison'),
      signal,
    });
  } finally {
    for (const { parameters, state } of first ? [random.model, first] : [random.model])
      disposeTensors(parameters, state);
  }
}

const initialPrefix = 'first weights: ';

/** The files that a run's training began from, with their SHA-256, among the weights in its provenance. */
export function initialFilesOf(weights: Readonly<Record<string, string>>): Record<string, string> {
  const initial = Object.entries(weights).filter(([name]) => name.startsWith(initialPrefix));
  return Object.fromEntries(initial.map(([name, hash]) => [name.slice(initialPrefix.length), hash]));
}

/** Shows the estimated cost of a training. */
export async function showCost({ steps, secondsPerStep, hours, peakGibibytes }: TrainingCost): Promise<void> {
  const each = Number.isNaN(secondsPerStep) ? 'not measured' : duration(secondsPerStep);
  const whole = Number.isNaN(hours) ? 'not known' : hours < 1 ? duration(3600 * hours) : `${hours.toFixed(1)} hours`;
  await display(
    html(
      `<p><strong>Before the first step:</strong> ${steps.toLocaleString('en')} steps, ${each} each as measured in three ` +
        `steps here: ${whole} in all, without monitors. Peak memory so far: ${peakGibibytes.toFixed(1)} GiB.</p>`,
    ),
  );
}

/**
 * Writes the backbone's weights with timm's names and what the training cost, and collects what a pretraining run keeps beside
 * them.
 *
 * @returns for `run.keep`
 */
export async function pretrainingFacts(
  run: Run,
  { method, batchSize }: PretrainExperiment,
  { dataset, split, train }: PretrainingData,
  { encoder, initialFiles, comparison }: Pretrained & { comparison: FeatureComparison | null },
) {
  const weights = run.file('backbone.safetensors');
  const tensors = toTorch(encoder.model);
  await writeSafetensors(weights, tensors, {
    method: method.name,
    backbone: method.backbone.name,
    run: run.identity.hash,
  });
  disposeTensors(tensors);
  await run.log.sync();
  await run.write(costsFile, [await costOfTraining(run.log.path, { name: 'pretraining', batchSize })]);
  const { report, indexSha256: sha256 } = dataset;
  const synthetic = report.counts.synthetic > 0;
  const of = `held-out patches of ${report.dataset}, split by ${split.by}`;
  const firstWeights = Object.fromEntries(
    Object.entries(initialFiles).map(([name, hash]) => [`${initialPrefix}${name}`, hash]),
  );
  const trained: Metric = { name: 'patches trained on', value: train.count, about: report.title };
  return {
    data: [{ name: report.dataset, origin: report.origin, licence: report.licence, synthetic, sha256 }],
    splits: { [splitName]: split.sha256 },
    weights: {
      ...firstWeights,
      'backbone.safetensors': await digestOfFile(weights),
    },
    choices: { batches: train.storage },
    metrics: comparison ? comparisonMetrics(comparison, of) : [trained],
  };
}
