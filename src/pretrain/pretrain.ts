import { imageNetColors } from '../augment/index.js';
import { canonicalJson, key, sha256 } from '../base/index.js';
import { type ConvAlgorithms, disposeTensors, type Precision } from '../engine/index.js';
import type { Encoder, Monitor } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import {
  adamw,
  dynamicLossScaling,
  isBiasOrNorm,
  lars,
  type Optimizer,
  type Replicas,
  sgd,
  type TrainingEvent,
  type TrainingLog,
  type TrainOptions,
  train,
  warmupCosine,
} from '../training/index.js';
import { drawViews, type Method, objectiveOf } from './method.js';

/** How a method is trained: plain values, which stand on pages and in a run's identity. */
export interface PretrainSettings {
  seed: number | string;
  /** How long it is trained: passes over the patches, or steps. One of the two. */
  epochs?: number;
  steps?: number;
  optimizer: 'sgd' | 'lars' | 'adamw';
  /** At its peak, for the batch size of the source. */
  learningRate: number;
  /** Share of all steps over which the learning rate rises; then it falls by a cosine. */
  warmup: number;
  /** Of sgd and lars. */
  momentum: number;
  /** Not applied to biases and norms. */
  weightDecay: number;
  clipNorm?: number;
  /** See `train`. */
  microBatches?: number;
  precision: Precision;
  /** Side of the center square on which features are evaluated, as a share of the patch's side. */
  evaluationCrop: number;
}

export interface PretrainOptions {
  settings: PretrainSettings;
  /** Patches to learn from, shuffled. */
  batches: BatchSource;
  /** What is measured beside the training, which it does not influence. */
  monitors?: readonly Monitor[];
  /**
   * Keeps checkpoints here and goes on from the last. `identity` stands for what neither method, settings nor batches say:
   * the code, for example. A checkpoint of which a part is another is refused.
   */
  checkpoint?: { folder: string; everySteps: number; identity: Readonly<Record<string, string>>; log?: TrainingLog };
  /** See `train`. */
  convAlgorithms?: ConvAlgorithms;
  replicas?: Replicas;
  onEvent?: (event: TrainingEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

export interface Pretrained {
  /** The trained backbone. Heads and the like are thrown away. */
  encoder: Encoder;
  steps: number;
  /** See `train`. */
  convAlgorithms?: Record<string, string>;
}

/**
 * Trains a backbone by a method.
 *
 * @throws InterruptedError if `signal` aborts, after a checkpoint; running it again goes on from there
 * @throws RangeError for settings that make no training
 */
export async function pretrain<Name extends string>(
  method: Method<Name>,
  options: PretrainOptions,
): Promise<Pretrained> {
  const { monitors = [], checkpoint, convAlgorithms, replicas, onEvent, signal } = options;
  const training = trainingOf(method, options);
  const encoderOf = (model: ModelTensors) => pretrainedEncoder(method, options, method.encoder(model));
  try {
    const trained = await train({
      ...{ ...training, convAlgorithms, replicas, onEvent, signal },
      checkpoint: checkpoint && { ...checkpoint, identity: identityOf(method, options, checkpoint.identity) },
      monitors: monitors.map(({ everySteps, ...monitor }) => ({
        everySteps,
        run: (tensors) => monitor.run(encoderOf(tensors)),
      })),
    });
    const { parameters, state, optimizer } = trained.tensors;
    const kept = encoderOf({ parameters, state });
    const keptTensors = new Set([...Object.values(kept.model.parameters), ...Object.values(kept.model.state)]);
    for (const tensor of [...Object.values(parameters), ...Object.values(state)]) {
      if (!keptTensors.has(tensor)) tensor.dispose();
    }
    disposeTensors(optimizer);
    return { encoder: kept, steps: training.steps, convAlgorithms: trained.convAlgorithms };
  } finally {
    for (const monitor of monitors) monitor.dispose();
  }
}

/** The backbone as `pretrain` starts from it: what a pretrained one is compared with. */
export function untrainedEncoder<Name extends string>(
  method: Method<Name>,
  options: Pick<PretrainOptions, 'settings'>,
): Encoder {
  return pretrainedEncoder(method, options, method.encoder(initialModel(method, options.settings)));
}

/** A backbone that a method has pretrained, from weights that `pretrain` gave. */
export function pretrainedEncoder<Name extends string>(
  { backbone, views }: Method<Name>,
  { settings: { evaluationCrop } }: Pick<PretrainOptions, 'settings'>,
  model: ModelTensors,
): Encoder {
  return { backbone, model, view: { size: views[0]!.size, crop: evaluationCrop, colors: imageNetColors } };
}

/** What a pretraining will take, from steps that were measured and thrown away. */
export interface TrainingCost {
  steps: number;
  secondsPerStep: number;
  hours: number;
  /** The most memory that this process has held, GiB; on a GPU, the host's part. */
  peakGibibytes: number;
}

/** Runs three steps of a pretraining and throws them away: the first compiles, the others are timed. */
export async function measureCost<Name extends string>(
  method: Method<Name>,
  options: Pick<PretrainOptions, 'settings' | 'batches' | 'signal'>,
): Promise<TrainingCost> {
  const training = trainingOf(method, options);
  const times: number[] = [];
  const { tensors } = await train({
    ...training,
    steps: Math.min(3, training.steps),
    signal: options.signal,
    onEvent: ({ kind }) => void (kind === 'step' && times.push(performance.now())),
  });
  disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
  const timed = times.length - 1;
  const secondsPerStep = timed > 0 ? (times.at(-1)! - times[0]!) / 1000 / timed : Number.NaN;
  return {
    steps: training.steps,
    secondsPerStep,
    hours: (training.steps * secondsPerStep) / 3600,
    peakGibibytes: process.resourceUsage().maxRSS / 2 ** 20,
  };
}

function trainingOf<Name extends string>(
  method: Method<Name>,
  { settings, batches }: Pick<PretrainOptions, 'settings' | 'batches'>,
): TrainOptions<Name> {
  const { seed, learningRate, warmup, precision, clipNorm, microBatches } = settings;
  if (!batches.shuffled) throw new RangeError('a training takes shuffled batches: make their source with a key');
  const root = key(seed);
  const steps = trainingSteps(settings, batches);
  const warmupSteps = Math.round(warmup * steps);
  return {
    objective: objectiveOf(method, batches),
    optimizer: optimizerOf(settings),
    schedules: { learningRate: warmupCosine({ peak: learningRate, warmupSteps, steps }) },
    batch: async (step) => ({
      ...(await batches.load(step)),
      ...drawViews(method.views, batches, root.fold('views').fold(step)),
    }),
    ...{ steps, precision, clipNorm, microBatches },
    imagesPerStep: batches.batchSize,
    key: root.fold('training'),
  };
}

/** The steps of a training. */
export function trainingSteps(
  { epochs, steps }: Pick<PretrainSettings, 'epochs' | 'steps'>,
  { stepsPerEpoch }: Pick<BatchSource, 'stepsPerEpoch'>,
): number {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new RangeError(`a training has epochs or steps; got epochs ${epochs} and steps ${steps}`);
  }
  return steps ?? stepsPerEpoch * epochs!;
}

function optimizerOf({ optimizer, momentum, weightDecay, precision }: PretrainSettings): Optimizer {
  const makers = {
    sgd: () => sgd({ momentum, weightDecay, exclude: isBiasOrNorm }),
    lars: () => lars({ momentum, weightDecay }),
    adamw: () => adamw({ weightDecay }),
  };
  if (!Object.hasOwn(makers, optimizer)) {
    throw new RangeError(`optimizer is ${Object.keys(makers).join(', ')}; got ${JSON.stringify(optimizer)}`);
  }
  return precision === 'float16' ? dynamicLossScaling(makers[optimizer]()) : makers[optimizer]();
}

/** Everything that decides the result of a pretraining, part by part. */
function identityOf<Name extends string>(
  method: Method<Name>,
  { settings, batches }: PretrainOptions,
  rest: Readonly<Record<string, string>>,
): Record<string, string> {
  const { name, settings: own, backbone, views } = method;
  return {
    method: name,
    'method settings': canonicalJson(own),
    backbone: backbone.name,
    views: sha256(canonicalJson(views)),
    'initial weights': initialWeightsHash(method, settings),
    settings: canonicalJson(settings),
    batches: batches.identity,
    ...rest,
  };
}

/** The whole network before the first step. */
function initialModel<Name extends string>(method: Method<Name>, { seed }: PretrainSettings): ModelTensors {
  return method.initialize(key(seed).fold('training').fold('weights'));
}

function initialWeightsHash<Name extends string>(method: Method<Name>, settings: PretrainSettings): string {
  const { parameters, state } = initialModel(method, settings);
  const hashes = [parameters, state].map((tensors) =>
    Object.entries(tensors).map(([name, tensor]) => [
      name,
      tensor.shape,
      sha256(new Uint8Array(tensor.dataSync().buffer)),
    ]),
  );
  disposeTensors(parameters, state);
  return sha256(canonicalJson(hashes));
}
