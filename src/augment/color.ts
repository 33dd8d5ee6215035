import { attribute, runOp, type Tensor, tf } from '../engine/index.js';

/** Weights of red, green and blue in an image's grayscale (ITU-R 601-2 luma), as torchvision has them. */
export const luma = [0.2989, 0.587, 0.114] as const;

/** To 0..1 in one pass; tfjs composes its clip from a minimum and a maximum. No gradient is defined for it. */
export function clip(x: Tensor): Tensor {
  return runOp('ClipByValue', [attribute.type('T', 'float32')], [x, tf.scalar(0), tf.scalar(1)]);
}

/**
 * Mean of each channel over each image's pixels. Line by line first: TensorFlow adds the pixels of an image one after the
 * other, and a float32 sum of 512 x 512 of them is wrong by a thousandth.
 *
 * @param images float32 `[batch, height, width, channels]`
 * @returns `[batch, 1, 1, channels]`
 */
export function meanOfPixels(images: Tensor): Tensor {
  return images.mean(2, true).mean(1, true);
}
