import { key } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import { type BatchSource, countMaskPixels } from '../input/index.js';
import { type ModelTensors, resetRunningStatistics, type Vit } from '../models/index.js';
import { singleReplica, type TrainOptions, train } from '../training/index.js';
import { divides, requireAsked, trainDivided } from './divided.js';
import { identityOf, weightsKey } from './identity.js';
import { initialWeights } from './initial-weights.js';
import { drawViews, type Method, type MethodStart, objectiveOf, type TrainingLength } from './method.js';
import { optimizerOf, schedulesOf } from './optimizer-settings.js';
import type { Pretrained, PretrainOptions, PretrainSettings } from './pretrain-options.js';

/**
 * Trains a backbone by a method.
 *
 * @throws InterruptedError if `signal` aborts, after a checkpoint; running it again goes on from there
 * @throws RangeError for settings that make no training, batches of another replica, or processes that cannot divide them
 * @throws Error if other processes fail, naming one with its error, or come to another training
 */
export async function pretrain<Name extends string>(
  method: Method<Name>,
  options: PretrainOptions,
): Promise<Pretrained> {
  const { batches, monitors = [], checkpoint, best, convAlgorithms, shared, replicas, onEvent, signal } = options;
  if (shared && (convAlgorithms || replicas)) {
    throw new RangeError('a shared step is of one replica, and of the usual form of convolutions');
  }
  const { index, count } = replicas ?? singleReplica;
  if (batches.replica.index !== index || batches.replica.count !== count) {
    throw new RangeError(
      `this is replica ${index} of ${count}, and its batches are those of replica ${batches.replica.index} of ` +
        `${batches.replica.count}: create their source with the same one`,
    );
  }
  const isDivided = divides(options);
  const { start, initialFiles, ...training } = await trainingOf(method, options);
  const encoderOf = (model: ModelTensors) => pretrainedEncoder(method, options, method.encoder(model));
  try {
    const place = checkpoint && {
      ...checkpoint,
      identity: identityOf(method, options, training.objective, checkpoint.identity),
    };
    if (place?.asked) requireAsked(place.identity, place.asked);
    const trainHere = () =>
      train({
        ...{ ...training, best, convAlgorithms, replicas, onEvent, signal, checkpoint: place },
        compiled: shared?.of(method, options, training),
        monitors: monitors.map(({ everySteps, ...monitor }) => ({
          everySteps,
          run: (tensors) => monitor.run(encoderOf(tensors), tensors),
        })),
      });
    const trained = isDivided ? await trainDivided(options, place) : await trainHere();
    const { parameters, state, optimizer } = trained.tensors;
    disposeTensors(optimizer);
    const model = { parameters, state };
    const { steps, best: found, convAlgorithms: chosen } = trained;
    return { encoder: encoderOf(model), initialFiles, model, steps, best: found, convAlgorithms: chosen };
  } finally {
    if (start) disposeTensors(start.parameters, start.state);
    for (const monitor of monitors) monitor.dispose();
  }
}

/** The backbone with the weights that `pretrain` draws: what a pretrained one is compared with. */
export function untrainedEncoder<Name extends string>(
  method: Method<Name>,
  { settings, batches }: Pick<PretrainOptions, 'settings' | 'batches'>,
): Encoder {
  const model = method.initialize(weightsKey(settings.seed), startOf(batches));
  const encoder = pretrainedEncoder(method, { settings }, method.encoder(model));
  disposeOthers(model, encoder.model);
  return encoder;
}

/** A backbone that a method has pretrained, from weights that `pretrain` gave. */
export function pretrainedEncoder<Name extends string>(
  { backbone, views }: Method<Name>,
  { settings: { evaluationCrop } }: Pick<PretrainOptions, 'settings'>,
  model: ModelTensors,
): Encoder {
  return { backbone, model, view: { size: views[0]!.size, crop: evaluationCrop, colors: backbone.colors } };
}

/** Estimated cost of a pretraining, from a few measured steps. */
export interface TrainingCost {
  steps: number;
  secondsPerStep: number;
  hours: number;
  /** The most memory that this process has held, GiB; on a GPU, the host's part. */
  peakGibibytes: number;
}

/** Runs three steps of a pretraining and discards them: the first compiles, the others are timed. */
export async function measureCost<Name extends string>(
  method: Method<Name>,
  options: Pick<PretrainOptions, 'settings' | 'batches' | 'signal'>,
): Promise<TrainingCost> {
  const { start, initialFiles: _, ...training } = await trainingOf(method, options);
  const times: number[] = [];
  const { tensors } = await train({
    ...training,
    steps: Math.min(3, training.steps),
    signal: options.signal,
    onEvent: ({ kind }) => void (kind === 'step' && times.push(performance.now())),
  });
  disposeTensors(tensors.parameters, tensors.state, tensors.optimizer);
  if (start) disposeTensors(start.parameters, start.state);
  const timed = times.length - 1;
  const secondsPerStep = timed > 0 ? (times.at(-1)! - times[0]!) / 1000 / timed : Number.NaN;
  return {
    steps: training.steps,
    secondsPerStep,
    hours: (training.steps * secondsPerStep) / 3600,
    peakGibibytes: process.resourceUsage().maxRSS / 2 ** 20,
  };
}

/**
 * What `train` takes; and `start`, weights that it begins with and the caller disposes of. Masks are checked first: in the compiled step, a
 * value that is no class is an error without a place on the CPU, and nothing at all on a GPU.
 */
async function trainingOf<Name extends string>(
  method: Method<Name>,
  { settings, batches, signal }: Pick<PretrainOptions, 'settings' | 'batches' | 'signal'>,
): Promise<TrainOptions<Name> & { start?: ModelTensors; initialFiles: Record<string, string> }> {
  const { seed, init = 'random', resetBatchNorm, precision, clipNorm, clipOf, microBatches } = settings;
  if (!batches.shuffled) throw new RangeError('training needs shuffled batches: create their source with a key');
  const root = key(seed);
  const length: TrainingLength = { steps: trainingSteps(settings, batches), stepsPerEpoch: batches.stepsPerEpoch };
  const { dataset, rows: patches } = batches;
  const pixels = method.masks && (await countMaskPixels(dataset, { ...method.masks, patches, signal }));
  const initial = await initialWeights(init, method.backbone);
  if (initial && resetBatchNorm) resetRunningStatistics(initial.model);
  return {
    objective: objectiveOf(method, batches, { start: { ...startOf(batches, initial?.model), pixels }, length }),
    optimizer: optimizerOf(settings, { freezes: method.freezes, depth: (method.backbone as Partial<Vit>).depth }),
    schedules: schedulesOf(settings, length),
    batch: async (step) => ({
      ...(await batches.load(step)),
      ...batches.ownRows(drawViews(method.views, batches, root.fold('views').fold(step))),
    }),
    ...{ steps: length.steps, precision, clipNorm, clipOf, microBatches },
    chanceLoss: method.chanceLoss?.(batches),
    imagesPerStep: batches.batchSize,
    key: root.fold('training'),
    start: initial?.model,
    initialFiles: initial?.files ?? {},
  };
}

function startOf({ labels, dataset }: BatchSource, backbone?: ModelTensors): MethodStart {
  return { backbone, labels, classNames: dataset.classNames };
}

/** Disposes of a model but for the part that is kept. */
function disposeOthers(model: ModelTensors, kept: ModelTensors): void {
  const keptTensors = new Set([...Object.values(kept.parameters), ...Object.values(kept.state)]);
  for (const tensor of [...Object.values(model.parameters), ...Object.values(model.state)]) {
    if (!keptTensors.has(tensor)) tensor.dispose();
  }
}

/** The steps of a training. */
export function trainingSteps(
  { epochs, steps }: Pick<PretrainSettings, 'epochs' | 'steps'>,
  { stepsPerEpoch }: Pick<BatchSource, 'stepsPerEpoch'>,
): number {
  if ((epochs === undefined) === (steps === undefined)) {
    throw new RangeError(`set either epochs or steps; got epochs ${epochs} and steps ${steps}`);
  }
  return steps ?? stepsPerEpoch * epochs!;
}
