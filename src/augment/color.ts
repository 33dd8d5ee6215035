import { attribute, executeOne, type Tensor, tf } from '../engine/index.js';

/** Weights of red, green and blue in an image's grayscale (ITU-R 601-2 luma), as torchvision has them. */
export const luma = [0.2989, 0.587, 0.114] as const;

/** To 0..1 in one pass; tfjs composes its clip from a minimum and a maximum. No gradient is defined for it. */
export function clip(x: Tensor): Tensor {
  return executeOne('ClipByValue', [attribute.type('T', 'float32')], [x, tf.scalar(0), tf.scalar(1)]);
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

/** A blend as `clip(mix x + offset mean(x))` of the image's colors x: both `[batch, 3, 3]`, output by input channel. */
export interface Blend {
  mix: Tensor;
  offset: Tensor;
}

/**
 * Brightness, contrast and saturation are blends of an image with black, with the mean of its grayscale, and with its
 * grayscale.
 *
 * @param weights `[batch, slots, 3]`: of the image, of its grayscale, of the mean of its grayscale
 * @returns one blend a slot
 */
export function blendsOf(weights: Tensor): Blend[] {
  const bySlot = weights.transpose([1, 0, 2]);
  const [image, gray, meanGray] = tf.split(bySlot.expandDims(3), 3, 2) as [Tensor, Tensor, Tensor];
  const toGray = tf.tensor2d([...luma, ...luma, ...luma], [3, 3]);
  const mixes = tf.unstack(image.mul(tf.eye(3)).add(gray.mul(toGray)));
  const offsets = tf.unstack(meanGray.mul(toGray));
  return mixes.map((mix, slot) => ({ mix, offset: offsets[slot]! }));
}

/**
 * @param planes `[batch, 3, pixels]` in 0..1
 * @returns `[batch, 3, pixels]`, clipped to 0..1
 */
export function applyBlend(planes: Tensor, { mix, offset }: Blend): Tensor {
  return clip(tf.matMul(mix, planes).add(tf.matMul(offset, planes.mean(2, true))));
}

/**
 * Turns the hue of each pixel; saturation and value (in HSV) stay. With the hue h in sixths of the circle, a channel
 * is the pixel's minimum plus its chroma times a trapezoid of h around the channel's own hue: what converting to HSV,
 * turning and converting back comes to (A. R. Smith, "Color gamut transform pairs", 1978).
 *
 * @param planes `[batch, 3, pixels]` in 0..1
 * @param shift `[batch]`, turns in [-0.5, 0.5]
 */
export function shiftHue(planes: Tensor, shift: Tensor): Tensor {
  const [red, green, blue] = tf.unstack(planes, 1) as [Tensor, Tensor, Tensor];
  const largest = planes.max(1);
  const smallest = planes.min(1);
  const chroma = largest.sub(smallest);
  // Of a gray pixel every difference below is 0, and so is its chroma: any hue will do.
  const circle = chroma.mul(6).maximum(1e-12);
  const angle = tf.where(
    red.equal(largest),
    green.sub(blue).div(circle),
    tf.where(
      green.equal(largest),
      blue
        .sub(red)
        .div(circle)
        .add(1 / 3),
      red
        .sub(green)
        .div(circle)
        .add(2 / 3),
    ),
  );
  const turned = angle.add(shift.expandDims(1));
  const hue = turned.sub(turned.floor()).mul(6);
  const channel = (trapezoid: Tensor) => clip(trapezoid).mul(chroma).add(smallest);
  return tf.stack(
    [channel(hue.sub(3).abs().sub(1)), channel(tf.sub(2, hue.sub(2).abs())), channel(tf.sub(2, hue.sub(4).abs()))],
    1,
  );
}
