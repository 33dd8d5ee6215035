import type { Key } from '../base/index.js';
import { attribute, executeOp, randomUniformOfRows, type Tensor, tf } from '../engine/index.js';

/**
 * Images as rows of pixels of each patch, in the order (row, column, channel).
 *
 * @param images `[batch, height, width, 3]`
 * @returns `[batch, patches, patchSize * patchSize * 3]`, patches row by row
 */
export function patchify(images: Tensor, patchSize: number): Tensor {
  const [batch, height, width] = images.shape as [number, number, number, number];
  const [rows, columns] = [height / patchSize, width / patchSize];
  return images
    .reshape([batch, rows, patchSize, columns, patchSize * 3])
    .transpose([0, 1, 3, 2, 4])
    .reshape([batch, rows * columns, patchSize * patchSize * 3]);
}

/** The images whose patches these are; the other way round. Of square images. */
export function unpatchify(patches: Tensor, patchSize: number): Tensor {
  const [batch, count] = patches.shape as [number, number, number];
  const side = Math.sqrt(count);
  return patches
    .reshape([batch, side, side, patchSize, patchSize * 3])
    .transpose([0, 1, 3, 2, 4])
    .reshape([batch, side * patchSize, side * patchSize, 3]);
}

/** Mean and deviation of each patch, `[batch, patches, 1]`, of the unbiased variance; 1e-6 keeps the deviation from 0. */
export function patchStatistics(patches: Tensor): { mean: Tensor; deviation: Tensor } {
  const size = patches.shape[2]!;
  const mean = patches.mean(2, true) as Tensor;
  const variance = patches
    .sub(mean)
    .square()
    .sum(2, true)
    .div(size - 1);
  return { mean, deviation: variance.add(1e-6).sqrt() };
}

/**
 * MAE's loss (He et al., 2021; arXiv 2111.06377): the mean square error of the masked patches only.
 *
 * @param predicted `[batch, patches, pixels]`
 * @param images `[batch, height, width, 3]`, normalized
 * @param mask `[batch, patches]`, 1 where a patch was masked
 * @param options.normalizeTargets whether each patch's own mean and deviation are taken out of it first
 */
export function maeLoss(
  predicted: Tensor,
  images: Tensor,
  mask: Tensor,
  { patchSize, normalizeTargets }: { patchSize: number; normalizeTargets: boolean },
): Tensor {
  let targets = patchify(images, patchSize);
  if (normalizeTargets) {
    const { mean, deviation } = patchStatistics(targets);
    targets = targets.sub(mean).div(deviation);
  }
  const errors = predicted.sub(targets).square().mean(2);
  return errors.mul(mask).sum().div(mask.sum());
}

/** Which patches of each image are masked, drawn by the order of noise. */
export interface RandomMask {
  /** The visible ones, int32 `[batch, kept]`. */
  visible: Tensor;
  /** Where each patch stands among the visible ones and, behind them, the masked ones; int32 `[batch, patches]`. */
  places: Tensor;
  /** 1 where a patch is masked, `[batch, patches]`. */
  mask: Tensor;
}

/** @param kept visible patches of each image */
export function randomMask(key: Key, [batch, patches]: readonly [number, number], kept: number): RandomMask {
  const order = sortedOrder(randomUniformOfRows(key, [batch, patches]));
  const places = sortedOrder(order.toFloat());
  return {
    visible: order.slice([0, 0], [-1, kept]),
    places,
    mask: places.greaterEqual(tf.scalar(kept, 'int32')).toFloat(),
  };
}

/** The places of each row's values from the smallest to the largest, int32. */
function sortedOrder(values: Tensor): Tensor {
  const attributes = [attribute.bool('sorted', true), attribute.typeOf('T', values)];
  return executeOp('TopKV2', attributes, [values.neg(), tf.scalar(values.shape[1]!, 'int32')], 2)[1]!;
}
