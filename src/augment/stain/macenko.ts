import { attribute, executeOp, type Tensor, tf } from '../../engine/index.js';
import { imageOfDensity, opticalDensity } from './optical-density.js';
import { percentiles } from './percentile.js';

/** What a slide's two stains look like. */
export interface MacenkoStains {
  /** Optical density of red, green and blue of one unit of hematoxylin, and of eosin. */
  hematoxylin: readonly [number, number, number];
  eosin: readonly [number, number, number];
  /** 99th percentile of the concentration of each. */
  maxima: readonly [hematoxylin: number, eosin: number];
}

/** The reference that the method's implementations share (Macenko's own, by way of torchstain). */
export const macenkoReference: MacenkoStains = {
  hematoxylin: [0.5626, 0.7201, 0.4062],
  eosin: [0.2159, 0.8012, 0.5581],
  maxima: [1.9705, 1.0308],
};

/** Below this density in any channel a pixel is glass. */
const leastDensity = 0.15;
/** Stain vectors are looked for between these percentiles of the angle. */
const anglePercents = [1, 99] as const;
/** Share of an image's pixels that must be stained for its stains to be found. */
const leastStained = 0.001;
/**
 * Of the two unit stain vectors, the squared sine of the angle between them: less is one stain. One stain at many strengths
 * comes to 2e-4, because the one that the optical density adds bends its line; hematoxylin and eosin to a tenth and more.
 */
const leastApart = 1e-3;

/**
 * Macenko normalization (ISBI 2009:1107-1110) of each image on its own, as torchstain's NumPy backend, but not rounded
 * to bytes. TensorFlow ops alone: it can be part of a compiled step.
 *
 * An image of which fewer than one pixel in a thousand is stained, or that shows one stain or color only, has no two
 * stains to be found, and is returned as it is.
 *
 * @param images float32 `[batch, height, width, 3]` in 0..1
 * @returns the same shape, in 0..1
 */
export function macenkoNormalize(images: Tensor, target: MacenkoStains = macenkoReference): Tensor {
  return tf.tidy(() => {
    const { concentrations, maxima, found } = separateStains(images);
    const scale = tf
      .tensor2d([[...target.maxima]])
      .div(maxima)
      .expandDims(1);
    const stains = tf.tensor2d([[...target.hematoxylin], [...target.eosin]]);
    const [batch, pixels] = concentrations.shape as [number, number];
    const density = tf.matMul(concentrations.mul(scale).reshape([batch * pixels, 2]), stains);
    return tf.where(found.reshape([-1, 1, 1, 1]), imageOfDensity(density, images.shape), images);
  });
}

/**
 * The stains of one image, as a target for `macenkoNormalize`.
 *
 * @param image float32 `[1, height, width, 3]` in 0..1
 * @throws Error when the image has no two stains to be found
 */
export async function macenkoStains(image: Tensor): Promise<MacenkoStains> {
  const parts = tf.tidy(() => {
    const { stains, maxima, found } = separateStains(image);
    return tf.concat([stains.flatten(), maxima.flatten(), found.cast('float32')]);
  });
  const values = Array.from(await parts.data());
  parts.dispose();
  if (values.length !== 9) throw new RangeError(`macenkoStains takes one image; got ${image.shape[0]}`);
  if (values[8] !== 1) throw new Error('the image has no two stains to be found: too little of it is stained');
  const [h1, h2, h3, e1, e2, e3, hMost, eMost] = values as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return { hematoxylin: [h1, h2, h3], eosin: [e1, e2, e3], maxima: [hMost, eMost] };
}

/**
 * @returns stains `[batch, 2, 3]` (hematoxylin, eosin), concentrations `[batch, pixels, 2]`, their 99th percentiles
 *   `[batch, 2]`, and where they were found `[batch]`; elsewhere the others hold numbers of no meaning
 */
function separateStains(images: Tensor) {
  const density = opticalDensity(images);
  const [batch, pixels] = density.shape as [number, number, number];
  const stained = density.min(2).greaterEqual(leastDensity);
  const weight = stained.cast('float32').expandDims(2);
  const count = weight.sum([1, 2]);
  const enough = count.greaterEqual(Math.max(2, leastStained * pixels));

  // The plane of the two stains: the two largest of the covariance's eigenvectors.
  const safeCount = count.maximum(2).reshape([-1, 1, 1]);
  const centered = density.sub(density.mul(weight).sum(1, true).div(safeCount)).mul(weight);
  const covariance = tf.matMul(centered, centered, true, false).div(safeCount.sub(1));
  const attributes = [attribute.bool('compute_v', true), attribute.type('T', 'float32')];
  const [, vectors] = executeOp('SelfAdjointEigV2', attributes, [covariance], 2) as [Tensor, Tensor];
  const [, second, first] = tf.unstack(vectors, 2) as [Tensor, Tensor, Tensor];
  // Densities are positive. With the main axis positive too, no angle is near the place where it jumps by a turn.
  const main = first.mul(first.sum(1, true).greaterEqual(0).cast('float32').mul(2).sub(1));
  const along = (axis: Tensor) => tf.matMul(density, axis.expandDims(2)).squeeze([2]);
  const angle = tf.atan2(along(main), along(second));
  const beyond = tf.fill([batch, pixels], 1e9);
  const [least, most] = percentiles(tf.where(stained, angle, beyond), count.maximum(1), anglePercents) as [
    Tensor,
    Tensor,
  ];
  const at = (turn: Tensor) => second.mul(turn.cos().expandDims(1)).add(main.mul(turn.sin().expandDims(1)));

  // Hematoxylin is the one that takes more of the red.
  const [one, other] = [at(least), at(most)];
  const red = (vector: Tensor) => vector.slice([0, 0], [-1, 1]);
  const oneIsHematoxylin = red(one).greater(red(other));
  const hematoxylin = tf.where(oneIsHematoxylin, one, other);
  const eosin = tf.where(oneIsHematoxylin, other, one);

  // Least squares for two unknowns, written out.
  const dot = (a: Tensor, b: Tensor) => a.mul(b).sum(1, true);
  const overlap = dot(hematoxylin, eosin);
  const apart = dot(hematoxylin, hematoxylin).mul(dot(eosin, eosin)).sub(overlap.square());
  const found = enough.logicalAnd(apart.squeeze([1]).greater(leastApart));
  const safeApart = apart.maximum(leastApart);
  const inverse = tf.stack(
    [
      hematoxylin.mul(dot(eosin, eosin)).sub(eosin.mul(overlap)).div(safeApart),
      eosin.mul(dot(hematoxylin, hematoxylin)).sub(hematoxylin.mul(overlap)).div(safeApart),
    ],
    2,
  );
  const concentrations = tf.matMul(density, inverse);
  const all = tf.fill([batch], pixels);
  const maxima = tf.stack(
    tf.unstack(concentrations, 2).map((values) => percentiles(values, all, [99])[0]!),
    1,
  );
  // Of an image that is all but glass, a stain's 99th percentile can be nothing.
  const shown = maxima.min(1).greater(1e-3);
  return {
    stains: tf.stack([hematoxylin, eosin], 1),
    concentrations,
    maxima: maxima.maximum(1e-3),
    found: found.logicalAnd(shown),
  };
}
