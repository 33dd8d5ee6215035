import { applyViews, drawViewParameters, imageNetColors, normalize, type ViewRecipe } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { subTensors, type Tensor, type Tensors, withPrefix } from '../engine/index.js';
import type { BatchSource } from '../input/index.js';
import type { Backbone, ModelTensors } from '../models/index.js';
import type { LossOfBatch, Objective, StepContext } from '../training/index.js';

/** What a method's loss looks at. */
export interface ViewBatch {
  /** One for each recipe of the method, `[batch, size, size, 3]`, normalized; row i of each shows patch i. */
  views: readonly Tensor[];
  /** Classes, int32 `[batch]`, -1 for none. A method that uses them is supervised. */
  labels: Tensor;
}

/**
 * A way to train a backbone: what it looks at, what it carries on and what it minimizes. Everything else (batches, views,
 * optimizer, schedules, precision, checkpoints, monitors, replicas) is `pretrain`'s, the same for all methods.
 */
export interface Method<Name extends string = never> extends Omit<Objective<Name>, 'loss'> {
  name: string;
  /** What decides its result beside backbone and views, as it stands on pages and in a run's identity. */
  settings: Readonly<Record<string, unknown>>;
  backbone: Backbone;
  /** One recipe for each view of a patch. */
  views: readonly ViewRecipe[];
  loss(model: ModelTensors, batch: ViewBatch, context: StepContext<Name>): LossOfBatch;
  /** The loss if all outputs were alike: what a training that learns goes below. */
  chanceLoss?(batchSize: number): number;
  /** The backbone's part of what is trained: what is kept, evaluated and fine-tuned. */
  encoder(model: ModelTensors): ModelTensors;
}

/** A method as an objective over what a source loads: patches are decoded and views are made in the compiled step. */
export function objectiveOf<Name extends string>(
  method: Method<Name>,
  source: Pick<BatchSource, 'decode'>,
): Objective<Name> {
  return {
    ...method,
    loss(model, loaded, context) {
      const { images, labels } = source.decode(loaded);
      const views = method.views.map((recipe, view) =>
        normalize(applyViews(images, subTensors(loaded, `view${view}.`), recipe), imageNetColors),
      );
      return method.loss(model, { views, labels }, context);
    },
  };
}

/** What the views of one batch are made with, drawn on the host. */
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
