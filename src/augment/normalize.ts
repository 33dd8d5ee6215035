import { type Tensor, tf } from '../engine/index.js';

/** Mean and standard deviation of red, green and blue in images of 0..1. */
export interface ColorStatistics {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** Of ImageNet, as torchvision's pretrained weights expect them. */
export const imageNetColors: ColorStatistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Of PTCGA200, as printed with the paper's reference code, which divides by the second triple. Its values read like
 * variances (their roots are .195 .230 .188); if they are, what is normalized with it has a deviation of about 5.
 */
export const ptcga200Colors: ColorStatistics = { mean: [0.7184, 0.5076, 0.6476], std: [0.038, 0.0527, 0.0352] };

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
