import { applyMaskViews, applyViews, drawViewParameters, normalize, type ViewRecipe } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { probed, subTensors, type Tensor, type Tensors, withPrefix } from '../engine/index.js';
import type { BatchSource } from '../input/index.js';
import type { Backbone, ModelTensors } from '../models/index.js';
import type { LossOfBatch, Objective, Schedule, StepContext } from '../training/index.js';

/** Input of a method's loss. */
export interface ViewBatch {
  /** One for each recipe of the method, `[batch, size, size, 3]`, normalized; row i of each shows patch i. */
  views: readonly Tensor[];
  /** Classes, int32 `[batch]`, -1 for none. A method that uses them is supervised. */
  labels: Tensor;
  /** Of the whole batch that is here, where `labels` are those of a micro-batch. */
  allLabels?: Tensor;
  /** Of a method with `masks`: the views' masks (see `applyMaskViews`), int32 `[batch, size, size]`. */
  masks?: readonly Tensor[];
}

/** Inputs of a method's initial weights, besides their key. */
export interface MethodStart {
  /** The backbone's weights, to be copied; undefined: they are drawn. */
  backbone?: ModelTensors;
  /** Classes of the patches that are trained on, -1 for none. */
  labels: Int32Array;
  classNames: readonly string[];
  /** Of a method with `masks`: how many pixels each class has in those of the patches; see `countMaskPixels`. */
  pixels?: Float64Array;
}

/** Length of a training. */
export interface TrainingLength {
  steps: number;
  stepsPerEpoch: number;
}

/**
 * A pretraining method: its views, state and loss. Everything else (batches, views, optimizer, schedules, precision,
 * checkpoints, monitors, replicas) is in `pretrain`, the same for all methods.
 */
export interface Method<Name extends string = never>
  extends Omit<Objective<Name>, 'initialize' | 'loss' | 'schedules'> {
  name: string;
  /** Its settings besides backbone and views, for pages and a run's identity. */
  settings: Readonly<Record<string, unknown>>;
  backbone: Backbone;
  /** One recipe for each view of a patch. */
  views: readonly ViewRecipe[];
  /** Whether it is supervised: then every training patch has a class. */
  supervised?: boolean;
  /**
   * Of a method that learns the classes of pixels: then every training patch has a mask, whose values are classes, or `ignore`
   * in pixels that do not count.
   */
  masks?: { ignore?: number };
  initialize(key: Key, start: MethodStart): ModelTensors;
  loss(model: ModelTensors, batch: ViewBatch, context: StepContext<Name>): LossOfBatch;
  /** A momentum, a temperature: what `context.scheduled` gives by the same name, over a training of that length. */
  schedules?(length: TrainingLength): Readonly<Record<Name, Schedule>>;
  /** Parameters that are frozen while the method's schedule `frozen` is above 0; see `freezing`. */
  freezes?(name: string): boolean;
  /** The loss of uniform outputs: a training that learns falls below it, and one that stays far above has diverged. */
  chanceLoss?(batches: Pick<BatchSource, 'batchSize' | 'dataset'>): number;
  /**
   * What a supervised method says of images, in inference mode: logits, `[batch, classes]`, or of each pixel
   * `[batch, size, size, classes]`.
   *
   * @param images `[batch, size, size, 3]`, normalized
   */
  predict?(model: ModelTensors, images: Tensor): Tensor;
  /**
   * Where `predict` is a classifier on the backbone's features, that: logits `[batch, classes]`.
   *
   * @param features `[batch, featureSize]`
   */
  classify?(model: ModelTensors, features: Tensor): Tensor;
  /**
   * What it makes of images, for a page.
   *
   * @param images `[batch, size, size, 3]`, normalized, as are the results, of the same shape: what it saw, and what it
   *   painted where it saw nothing
   */
  reconstruct?(model: ModelTensors, images: Tensor, random: Key): { masked: Tensor; reconstruction: Tensor };
  /** The backbone's part of the model, which is saved, evaluated and fine-tuned. */
  encoder(model: ModelTensors): ModelTensors;
}

/** A method as an objective over what a source loads: patches are decoded and views are made in the compiled step. */
export function objectiveOf<Name extends string>(
  method: Method<Name>,
  source: Pick<BatchSource, 'decode'>,
  { start, length }: { start: MethodStart; length: TrainingLength },
): Objective<Name> {
  return {
    ...method,
    initialize: (key) => method.initialize(key, start),
    schedules: method.schedules?.(length),
    loss(model, loaded, context) {
      const { images, labels, masks } = source.decode(loaded);
      if (method.masks && !masks) {
        throw new RangeError(`${method.name} learns from masks: make the BatchSource with masks: true`);
      }
      const drawn = method.views.map((_, view) => subTensors(loaded, `view${view}.`));
      const views = method.views.map((recipe, view) =>
        probed(`view ${view}`, normalize(applyViews(images, drawn[view]!, recipe), method.backbone.colors)),
      );
      const ofMasks = method.masks && method.views.map(({ size }, view) => applyMaskViews(masks!, drawn[view]!, size));
      return method.loss(model, { views, labels, allLabels: context.whole?.labels, masks: ofMasks }, context);
    },
  };
}

/** Any method, whatever its schedules. */
export type AnyMethod = Method<string>;

/** What the views of one batch are made with, of all replicas together, drawn on the host. */
export function drawViews(
  recipes: readonly ViewRecipe[],
  { size, batchSize }: Pick<BatchSource, 'size' | 'batchSize'>,
  key: Key,
): Tensors {
  const drawn = recipes.map((recipe, view) =>
    withPrefix(drawViewParameters(recipe, batchSize, { height: size, width: size }, key.fold(view)), `view${view}.`),
  );
  return Object.assign({}, ...drawn) as Tensors;
}
