import { attribute, hasCustomOps, runOp, type Tensor, type Tensors, tf } from '../engine/index.js';
import { clip, luma } from './color.js';

/**
 * Color jitter and grayscale.
 *
 * @param views float32 `[views, height, width, 3]` in 0..1
 * @param parameters what `drawViewParameters` gave; of its colors, what is there is done
 * @returns of the same shape
 */
export function recolor(views: Tensor, parameters: Tensors): Tensor {
  if (!hasCustomOps()) return composedRecolor(views, parameters);
  const { blendsBeforeHue, hueShift, blendsAfterHue, grayscale } = parameters;
  return tf.tidy(() => {
    const given = [blendsBeforeHue, blendsAfterHue, grayscale && grayscaleBlend(grayscale)];
    const blends = tf.concat(
      given.flatMap((blend) => blend ?? []),
      1,
    );
    const shift = hueShift ?? tf.zeros([views.shape[0]!]);
    const hueAt = attribute.int('hue_at', blendsBeforeHue?.shape[1] ?? 0);
    return runOp('PathlabRecolor', [hueAt], [views, blends, shift]);
  });
}

/** The same from TensorFlow's own ops. */
export function composedRecolor(views: Tensor, parameters: Tensors): Tensor {
  const { blendsBeforeHue, hueShift, blendsAfterHue, grayscale } = parameters;
  const [count, height, width] = views.shape as [number, number, number];
  return tf.tidy(() => {
    let planes: Tensor = tf.transpose(views, [0, 3, 1, 2]).reshape([count, 3, height * width]);
    if (blendsBeforeHue && hueShift && blendsAfterHue) {
      for (const blend of blendsOf(blendsBeforeHue)) planes = applyBlend(planes, blend);
      planes = shiftHue(planes, hueShift);
      for (const blend of blendsOf(blendsAfterHue)) planes = applyBlend(planes, blend);
    }
    if (grayscale) for (const blend of blendsOf(grayscaleBlend(grayscale))) planes = applyBlend(planes, blend);
    return tf.transpose(planes.reshape([count, 3, height, width]), [0, 2, 3, 1]);
  });
}

/** @param grayscale `[views]`, 1 if turned gray */
function grayscaleBlend(grayscale: Tensor): Tensor {
  return tf.stack([tf.sub(1, grayscale), grayscale, tf.zerosLike(grayscale)], 1).expandDims(1);
}

/** A blend as `clip(mix x + offset mean(x))` of the image's colors x: both `[batch, 3, 3]`, output by input channel. */
interface Blend {
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
function blendsOf(weights: Tensor): Blend[] {
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
function applyBlend(planes: Tensor, { mix, offset }: Blend): Tensor {
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
function shiftHue(planes: Tensor, shift: Tensor): Tensor {
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
