import {
  applyViews,
  drawViewParameters,
  imageNetColors,
  imagesFromBytes,
  normalize,
  type ViewRecipe,
} from '../augment/index.js';
import { gatherImages, type PatchSet } from '../datasets/index.js';
import {
  type ConvolutionForms,
  gradients,
  type Tensor,
  type Tensors,
  tf,
  withoutPrefix,
  withPrefix,
} from '../engine/index.js';
import { type Backbone, type Head, type ModelTensors, projector, resnet } from '../models/index.js';
import { canonicalJson, key, sha256 } from '../runs/index.js';
import {
  batchOrder,
  type HistoryEntry,
  isBiasOrNorm,
  lars,
  type Optimizer,
  type Step,
  sgd,
  type TrainingEvent,
  type TrainingTensors,
  train,
  warmupCosine,
} from '../training/index.js';
import { ntXent } from './nt-xent.js';

/**
 * One step of SimCLR (Chen et al., 2020, arXiv 2002.05709, algorithm 1): two views of each image, one pass of all views
 * through backbone and projector (so that batch norm sees them together), NT-Xent, one update of both networks.
 *
 * The batch is `images`, `[N, height, width, 3]` in 0..1, and what `drawViewParameters` drew for 2N views.
 */
export function simclrStep(method: {
  backbone: Backbone;
  projector: Head;
  optimizer: Optimizer;
  views: ViewRecipe;
  temperature: number;
}): Step {
  return (tensors, { images, ...viewParameters }, learningRate) => {
    const views = normalize(applyViews(images!, viewParameters, method.views), imageNetColors);

    const result = gradients(tensors.parameters, (parameters) => {
      const [encoder, head] = split({ parameters, state: tensors.state });
      const encoded = method.backbone.apply(encoder, views, { training: true });
      const projected = method.projector.apply(head, encoded.features, { training: true });
      // Views 0 and 1 are of image 0, views 2 and 3 of image 1, and so on.
      const pairs = projected.outputs.reshape([images!.shape[0]!, 2, -1]);
      const [first, second] = tf.unstack(pairs, 1) as [Tensor, Tensor];
      const { loss, accuracy } = ntXent(first, second, method.temperature);
      return { loss, extra: { ...join(encoded.state, projected.state), accuracy } };
    });

    const { accuracy, ...state } = result.extra;
    const updated = method.optimizer.update(tensors.parameters, result.gradients, tensors.optimizer, learningRate);
    return {
      tensors: { parameters: updated.parameters, state, optimizer: updated.state },
      metrics: { loss: result.loss, accuracy: accuracy! },
    };
  };
}

/** Everything that decides the result of a SimCLR pretraining. */
export interface SimclrSettings {
  seed: number | string;
  /** Backbone. */
  depth: 18 | 50;
  width: number;
  /** Projector. */
  hiddenSize: number;
  outputSize: number;
  views: ViewRecipe;
  temperature: number;
  batchSize: number;
  epochs: number;
  /** LARS is made for batches of hundreds and more. */
  optimizer: 'lars' | 'sgd';
  /** At its peak, for this batch size. */
  learningRate: number;
  momentum: number;
  /** Not applied to biases and batch norm. */
  weightDecay: number;
  /** Share of all steps over which the learning rate rises. */
  warmup: number;
}

export interface PretrainSimclrOptions {
  settings: SimclrSettings;
  /** Patches to learn from; no label is looked at. */
  patches: Pick<PatchSet, 'images' | 'count' | 'size'>;
  /**
   * Keeps checkpoints here and goes on from the last. `identity` stands for what the settings do not say: data and
   * code.
   */
  checkpoint?: { folder: string; everySteps: number; identity: string };
  /** Called with the backbone as it is, before the first step, after every `everySteps` and after the last. */
  evaluate?: {
    everySteps: number;
    run: (backbone: FrozenBackbone, step: number) => Record<string, number> | Promise<Record<string, number>>;
  };
  /** See `train`. */
  convolutionForms?: ConvolutionForms;
  onEvent?: (event: TrainingEvent) => void | Promise<void>;
  signal?: AbortSignal;
}

/** Features of images `[batch, height, width, 3]` in 0..1 by a backbone with fixed weights: `[batch, featureSize]`. */
export type FrozenBackbone = (images: Tensor) => Tensor;

export interface PretrainedBackbone {
  backbone: Backbone;
  /** The trained weights; the projector is thrown away, as the paper does. */
  model: ModelTensors;
  features: FrozenBackbone;
  history: HistoryEntry[];
  /** See `train`. */
  convolutionForms?: Record<string, string>;
}

/** The backbone as `pretrainSimclr` starts from it with these settings: what a pretrained one is compared with. */
export function randomBackbone({ settings }: { settings: SimclrSettings }): PretrainedBackbone {
  const backbone = resnet(settings);
  const model = backbone.initialize(key(settings.seed).fold('backbone'));
  return { backbone, model, features: freeze(backbone, model), history: [] };
}

/** Number of steps that the settings make of this many patches. */
export function simclrSteps(settings: SimclrSettings, patchCount: number): { steps: number; stepsPerEpoch: number } {
  const stepsPerEpoch = Math.floor(patchCount / settings.batchSize);
  return { stepsPerEpoch, steps: stepsPerEpoch * settings.epochs };
}

/**
 * Pretrains a ResNet with SimCLR.
 *
 * @throws InterruptedError if `signal` aborts, after a checkpoint; running it again goes on from there
 * @throws RangeError if the patches do not fill one batch
 */
export async function pretrainSimclr(options: PretrainSimclrOptions): Promise<PretrainedBackbone> {
  const { settings, patches, checkpoint, evaluate } = options;
  const root = key(settings.seed);
  const order = batchOrder({ count: patches.count, batchSize: settings.batchSize, key: root.fold('order') });
  const { steps } = simclrSteps(settings, patches.count);

  const backbone = resnet(settings);
  const head = projector({ inputSize: backbone.featureSize, ...settings });
  const { momentum, weightDecay } = settings;
  const optimizer =
    settings.optimizer === 'lars'
      ? lars({ momentum, weightDecay })
      : sgd({ momentum, weightDecay, exclude: isBiasOrNorm });
  const step = simclrStep({ ...settings, backbone, projector: head, optimizer });

  const { tensors, history, convolutionForms } = await train({
    step,
    steps,
    random: root.fold('steps'),
    imagesPerStep: settings.batchSize,
    learningRate: warmupCosine({
      peak: settings.learningRate,
      warmupSteps: Math.round(settings.warmup * steps),
      steps,
    }),
    initialize: () => {
      const encoder = backbone.initialize(root.fold('backbone'));
      const projection = head.initialize(root.fold('projector'));
      const parameters = join(encoder.parameters, projection.parameters);
      return {
        parameters,
        state: join(encoder.state, projection.state),
        optimizer: optimizer.initialize(parameters),
      };
    },
    batch: (number) => ({
      images: imagesFromBytes(gatherImages(patches, order.items(number)), [
        settings.batchSize,
        patches.size,
        patches.size,
        3,
      ]),
      ...drawViewParameters(
        settings.views,
        2 * settings.batchSize,
        { height: patches.size, width: patches.size },
        root.fold('views').fold(number),
      ),
    }),
    checkpoint: checkpoint && {
      ...checkpoint,
      identity: sha256(
        canonicalJson({ method: 'simclr', settings, patches: patches.count, data: checkpoint.identity }),
      ),
    },
    evaluate: evaluate && {
      everySteps: evaluate.everySteps,
      run: (current: TrainingTensors, done: number) => evaluate.run(freeze(backbone, split(current)[0]), done),
    },
    convolutionForms: options.convolutionForms,
    onEvent: options.onEvent,
    signal: options.signal,
  });

  const [model, projection] = split(tensors);
  tf.dispose([projection, tensors.optimizer]);
  return { backbone, model, features: freeze(backbone, model), history, convolutionForms };
}

function freeze(backbone: Backbone, model: ModelTensors): FrozenBackbone {
  return (images) =>
    tf.tidy(() => backbone.apply(model, normalize(images, imageNetColors), { training: false }).features);
}

function join(backbone: Tensors, head: Tensors): Tensors {
  return { ...withPrefix(backbone, 'backbone.'), ...withPrefix(head, 'projector.') };
}

function split({ parameters, state }: ModelTensors): [backbone: ModelTensors, head: ModelTensors] {
  const part = (prefix: string) => ({
    parameters: withoutPrefix(parameters, prefix),
    state: withoutPrefix(state, prefix),
  });
  return [part('backbone.'), part('projector.')];
}
