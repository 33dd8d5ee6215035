import { type Tensor, tf } from '../engine/index.js';

/** Mean and standard deviation of red, green and blue in images of 0..1. */
export interface ColorStatistics {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** Of ImageNet, as torchvision's pretrained weights expect them. */
export const imageNetColors: ColorStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * (images - mean) / std, channel by channel.
 *
 * @param images `[batch, height, width, 3]` in 0..1
 */
export function normalize(images: Tensor, { mean, std }: ColorStatistics): Tensor {
  if (!std.every((deviation) => deviation > 0)) {
    throw new RangeError(`normalize: standard deviations are above 0; got ${std}`);
  }
  return tf.tidy(() => images.sub(tf.tensor1d([...mean])).div(tf.tensor1d([...std])));
}
