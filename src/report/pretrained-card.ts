import { projectRoot, writeFileAtomic } from '../base/index.js';
import type { Encoder } from '../evaluate/index.js';
import { type PretrainExperiment, weightsHistory } from '../experiments/index.js';
import type { Metric, Run } from '../runs/index.js';
import { type ProvenanceFacts, provenanceOf } from '../runs/index.js';
import { type CardWords, modelCard } from './model-card.js';

/** Where a pretraining run keeps its model card. */
export const cardFile = 'model-card.md';

/** What the model card of a pretrained backbone says of it. */
export function pretrainedWords(
  { method: { name, backbone }, settings }: Pick<PretrainExperiment, 'method' | 'settings'>,
  firstWeights: Readonly<Record<string, string>>,
): CardWords {
  return {
    tags: ['feature-extraction'],
    title: `${backbone.name}, pretrained with ${name}`,
    about: `Features of patches of pathology slides: ${backbone.featureSize} numbers for an image.`,
    made: [],
    firstWeights,
    trainings: weightsHistory(settings.init ?? 'random', projectRoot),
    measured: 'Measured when the training had ended.',
    use: 'Features for research on pathology patches: nearest neighbors, linear probes, the start of a fine-tuning.',
    limits: ['Its metrics are from one run with one seed.'],
  };
}

/**
 * Writes the model card of a run's backbone into its folder, which is about to be finished.
 *
 * @param facts of the run's provenance
 * @param card.firstWeights SHA-256 of the files that the training began with, by name
 * @param card.sha256 of the weights that it is of, `backbone.safetensors`
 */
export async function writeModelCard(
  run: Run,
  experiment: PretrainExperiment,
  encoder: Encoder,
  facts: Pick<ProvenanceFacts, 'data' | 'splits'> & { metrics: readonly Metric[] },
  { firstWeights, sha256 }: { firstWeights: Readonly<Record<string, string>>; sha256: string },
): Promise<void> {
  const { seed } = experiment.settings;
  const card = modelCard({
    run: provenanceOf(run, { ...facts, seed, device: {}, edited: [], files: {}, repeats: null }),
    ...{ experiment, model: encoder, words: pretrainedWords(experiment, firstWeights), metrics: facts.metrics },
    sha256: { 'backbone.safetensors': sha256 },
    library: 'pathlab',
    loading: `from safetensors.torch import load_file

# Tensors by timm's or torchvision's names, in PyTorch's layout.
backbone = load_file('backbone.safetensors')`,
  });
  await writeFileAtomic(run.file(cardFile), card);
}
