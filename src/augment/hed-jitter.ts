import type { Key } from '../base/index.js';
import { getTensor, inFullPrecision, type Tensor, type Tensors, tf } from '../engine/index.js';
import { clip } from './color.js';

/** Optical density of red, green and blue of hematoxylin, eosin and DAB (Ruifrok and Johnston, 2001; as scikit-image). */
const hed = [
  [0.65, 0.7, 0.29],
  [0.07, 0.99, 0.11],
  [0.27, 0.57, 0.78],
];

/** Below this a value counts as this: black has no logarithm. */
const darkest = 1e-6;

/** How far stains are jittered: every factor is drawn from 1 - strength to 1 + strength, every shift from -shift to shift. */
export interface HedJitter {
  strength: number;
  /** In units of each stain's density (natural logarithm). */
  shift: number;
}

/**
 * Draws, on the host, what `hedJitter` takes: of each image a factor and a shift for each stain.
 *
 * @returns `hedFactor` and `hedShift`, `[images, 3]`
 */
export function drawHedJitter({ strength, shift }: HedJitter, images: number, key: Key): Tensors {
  if (!(strength >= 0 && strength < 1)) throw new RangeError(`HED jitter: strength is in [0, 1); got ${strength}`);
  if (!(shift >= 0)) throw new RangeError(`HED jitter: shift is 0 or more; got ${shift}`);
  const draw = key.fold('hed').generator();
  const rows = Array.from({ length: images }, () => ({
    factor: [0, 1, 2].map(() => draw.between(1 - strength, 1 + strength)),
    shift: [0, 1, 2].map(() => draw.between(-shift, shift)),
  }));
  return {
    hedFactor: tf.tensor2d(rows.map(({ factor }) => factor)),
    hedShift: tf.tensor2d(rows.map(({ shift }) => shift)),
  };
}

/**
 * Stain jitter (Tellez et al., Medical Image Analysis 2019;58:101544): optical density is separated into hematoxylin,
 * eosin and DAB, each is scaled and shifted, and the image is recomposed. It uses TensorFlow ops only, so it can be
 * part of a compiled step. Nothing is clipped between, so that factors of 1 and shifts of 0 give the image back; a
 * white image is only shifted.
 *
 * @param images float32 `[batch, height, width, 3]` in 0..1
 * @param parameters of `drawHedJitter`
 * @returns the same shape, in 0..1
 */
export function hedJitter(images: Tensor, parameters: Tensors): Tensor {
  const factor = getTensor(parameters, 'hedFactor');
  const shift = getTensor(parameters, 'hedShift');
  const [batch] = images.shape;
  if (factor.shape[0] !== batch) throw new RangeError(`jitter for ${factor.shape[0]} images does not fit ${batch}`);
  const make = () => {
    const stains = tf.tensor2d(hed);
    const apart = tf.tensor2d(inverse(hed));
    // Apart, scaled, together: one matrix an image. [3, 3] x [batch, 3, 3].
    const scaled = factor.expandDims(2).mul(stains.expandDims(0));
    const together = tf.matMul(tf.tile(apart.expandDims(0), [batch!, 1, 1]), scaled);
    const density = images.maximum(darkest).log().neg().reshape([batch!, -1, 3]);
    const moved = tf.matMul(density, together).add(tf.matMul(shift, stains).expandDims(1));
    return clip(moved.neg().exp()).reshape(images.shape);
  };
  return tf.tidy(() => inFullPrecision(make));
}

/** Of a matrix of 3 by 3, by cofactors. */
function inverse(matrix: readonly (readonly number[])[]): number[][] {
  const [a, b, c] = matrix as [number[], number[], number[]];
  const cross = (u: readonly number[], v: readonly number[]) => [
    u[1]! * v[2]! - u[2]! * v[1]!,
    u[2]! * v[0]! - u[0]! * v[2]!,
    u[0]! * v[1]! - u[1]! * v[0]!,
  ];
  const columns = [cross(b, c), cross(c, a), cross(a, b)];
  const determinant = a.reduce((sum, value, place) => sum + value * columns[0]![place]!, 0);
  return [0, 1, 2].map((row) => columns.map((column) => column[row]! / determinant));
}
