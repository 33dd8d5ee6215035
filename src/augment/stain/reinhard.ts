import { type Tensor, tf } from '../../engine/index.js';
import { meanOfPixels } from '../color.js';
import { labOfRgb, rgbOfLab } from './lab.js';

/** Mean and standard deviation of L*, a* and b* over an image. */
export interface LabStatistics {
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
}

/** An image whose lightness spreads less than this is of one color. */
const leastSpread = 1e-3;

/**
 * Reinhard normalization (IEEE Computer Graphics and Applications 2001;21(5):34-41) of each image on its own, in CIE
 * L*a*b* as torchstain's NumPy backend, but not rounded to bytes: each channel gets the target's mean and deviation.
 * TensorFlow ops alone: it can be part of a compiled step.
 *
 * An image of one color has no spread that could be matched, and is returned as it is; of another, a channel without
 * spread becomes the target's mean.
 *
 * @param images float32 `[batch, height, width, 3]` in 0..1
 * @returns the same shape, in 0..1
 */
export function reinhardNormalize(images: Tensor, target: LabStatistics): Tensor {
  return tf.tidy(() => {
    const lab = labOfRgb(images);
    const { mean, std } = momentsOf(lab);
    const scale = tf.tensor1d([...target.std]).div(std.maximum(1e-6));
    const moved = lab
      .sub(mean)
      .mul(scale)
      .add(tf.tensor1d([...target.mean]));
    const spreads = std.slice([0, 0, 0, 0], [-1, 1, 1, 1]).greater(leastSpread);
    return tf.where(spreads, rgbOfLab(moved), images);
  });
}

/**
 * What `reinhardNormalize` takes as its target.
 *
 * @param image float32 `[1, height, width, 3]` in 0..1
 */
export async function labStatistics(image: Tensor): Promise<LabStatistics> {
  if (image.shape[0] !== 1) throw new RangeError(`labStatistics takes one image; got ${image.shape[0]}`);
  const both = tf.tidy(() => {
    const { mean, std } = momentsOf(labOfRgb(image));
    return tf.concat([mean.flatten(), std.flatten()]);
  });
  const [l, a, b, lSpread, aSpread, bSpread] = (await both.data()) as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  both.dispose();
  return { mean: [l, a, b], std: [lSpread, aSpread, bSpread] };
}

function momentsOf(lab: Tensor): { mean: Tensor; std: Tensor } {
  const mean = meanOfPixels(lab);
  return { mean, std: meanOfPixels(lab.sub(mean).square()).sqrt() };
}
