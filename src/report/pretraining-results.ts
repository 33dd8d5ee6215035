import { canonicalJson, digestOfFile, interruptSignal, key } from '../base/index.js';
import { disposeTensors, writeSafetensors } from '../engine/index.js';
import { colorHistograms, compareFeatures, type FeatureComparison, FeatureExtractor } from '../evaluate/index.js';
import {
  costOfTraining,
  costsFile,
  dividedWork,
  type PretrainExperiment,
  type PretrainingData,
  splitName,
} from '../experiments/index.js';
import type { BatchSource } from '../input/index.js';
import { type ModelTensors, toTorch } from '../models/index.js';
import { initialWeights, type Pretrained, untrainedEncoder } from '../pretrain/index.js';
import type { Metric, Run } from '../runs/index.js';
import { describeDivided } from './describe-divided.js';
import { type EvaluatedFeatures, evaluatedFeatures } from './evaluated-features.js';
import { writeModelCard } from './pretrained-card.js';
import { comparisonMetrics } from './show-comparison.js';

/**
 * Compares a pretrained backbone with the same network before training, with random weights and, where it began with
 * others, with those, and with color histograms, by kNN and a linear probe on the held-out patches; null where no patch has a
 * class, by which features could be judged.
 *
 * @param trained.features of the encoder, where they are known already
 * @throws Error if the files that training began from have changed since
 */
export async function compareWithBaselines(
  { method, settings, neighbors }: PretrainExperiment,
  data: PretrainingData,
  trained: Pick<Pretrained, 'encoder' | 'initialFiles'> & { features?: EvaluatedFeatures },
): Promise<FeatureComparison | null> {
  const { bank, heldOut, train } = data;
  if (!bank) return null;
  const { encoder, initialFiles } = trained;
  const own = trained.features ?? (await evaluatedFeatures(encoder, data));
  const signal = interruptSignal();
  const random = untrainedEncoder(method, { settings, batches: train });
  const initial = await initialWeights(settings.init ?? 'random', method.backbone);
  const first = initial?.model;
  // The baselines are the same network with other weights.
  const extractor = new FeatureExtractor(random.backbone, random.view);
  const withWeights = (model: ModelTensors) => (patches: BatchSource) => extractor.extract(model, patches, { signal });
  try {
    if (initial && canonicalJson(initial.files) !== canonicalJson(initialFiles)) {
      throw new Error(`init ${settings.init}: its files have changed since the training started`);
    }
    return await compareFeatures({
      bank,
      queries: heldOut,
      features: {
        [`${method.name} pretrained`]: async (patches) => (patches === bank ? own.known : own.heldOut),
        ...(first && { 'first weights': withWeights(first) }),
        'random initialization': withWeights(random.model),
        'color histogram': (patches) => colorHistograms(patches, signal),
      },
      neighbors: Math.min(neighbors, bank.count),
      key: key(settings.seed).fold('comparison'),
      signal,
    });
  } finally {
    extractor.dispose();
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

/**
 * Writes the backbone's weights with timm's names, its model card and what the training cost, and collects what a pretraining
 * run keeps beside them.
 *
 * @returns for `run.keep`
 */
export async function pretrainingFacts(
  run: Run,
  experiment: PretrainExperiment,
  { dataset, split, train }: PretrainingData,
  { encoder, initialFiles, comparison }: Pretrained & { comparison: FeatureComparison | null },
) {
  const { method, batchSize } = experiment;
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
  const digest = await digestOfFile(weights);
  const facts = {
    data: [{ name: report.dataset, origin: report.origin, licence: report.licence, synthetic, sha256 }],
    splits: { [splitName]: split.sha256 },
    metrics: comparison ? comparisonMetrics(comparison, of) : [trained],
  };
  await writeModelCard(run, experiment, encoder, facts, { firstWeights: initialFiles, sha256: digest });
  return {
    ...facts,
    weights: { ...firstWeights, 'backbone.safetensors': digest },
    choices: { batches: train.storage, ...describeDivided(await dividedWork(run.log.path)) },
  };
}
