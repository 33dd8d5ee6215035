import {
  getTensor,
  inFullPrecision,
  isByteTensor,
  type Tensor,
  type Tensors,
  tf,
  uploadBytes,
} from '../engine/index.js';
import { gaussianBlur } from './blur.js';
import { clip } from './color.js';
import { hedJitter } from './hed-jitter.js';
import type { ViewRecipe } from './recipe.js';
import { recolor } from './recolor.js';
import { alongColumns, alongRows, resizeMatrix } from './resample.js';
import { imagesOfDecoded, resizedCrops } from './resized-crop.js';

/** RGB bytes, `[batch, height, width, 3]`, as float32 in 0..1. */
export function imagesFromBytes(bytes: Uint8Array, shape: readonly [number, number, number, number]): Tensor {
  return tf.tidy(() => imagesOfDecoded(uploadBytes(bytes, shape)));
}

/**
 * Makes views of images from parameters that `drawViewParameters` drew. It uses TensorFlow ops only and reads no value
 * on the host, so it can be part of a compiled step, also of one in low precision: it stays in float32 there.
 *
 * Equals torchvision's functional ops in float32 (`resized_crop` with antialiasing, flips, `adjust_brightness`,
 * `adjust_contrast`, `adjust_saturation`, `adjust_hue` in the image's own order, `rgb_to_grayscale`, `gaussian_blur`,
 * `solarize` at one half).
 * Where torchvision works on Pillow images it rounds to bytes after each of them; here nothing is rounded.
 *
 * @param images `[batch, height, width, 3]`, float32 in 0..1 or bytes (see `decodeJpegs`)
 * @param parameters of `views` = batch, or a multiple of it: several views of the first image, of the second, and so on
 * @returns `[views, size, size, 3]` in 0..1
 */
export function applyViews(images: Tensor, parameters: Tensors, recipe: ViewRecipe): Tensor {
  const { batch } = imageShape(images, 'or bytes');
  const { size } = recipe;
  const cropRows = getTensor(parameters, 'cropRows');
  const cropColumns = getTensor(parameters, 'cropColumns');
  const views = cropRows.shape[0]!;
  if (views % batch !== 0) throw new RangeError(`parameters of ${views} views do not fit ${batch} images`);
  const make = () => {
    const interpolation = recipe.crop?.interpolation;
    let made = resizedCrops(images, { rows: cropRows, columns: cropColumns, interpolation }, size);
    if (parameters.hedFactor) made = hedJitter(made, parameters);
    if (parameters.hueShift || parameters.grayscale) made = recolor(made, parameters);
    if (parameters.blurSigma) {
      if (!recipe.blur) throw new Error('the view parameters have a blurSigma, but the recipe has no blur');
      made = gaussianBlur(made, parameters.blurSigma, recipe.blur.kernelSize);
    }
    return clip(parameters.solarize ? solarize(made, parameters.solarize) : made);
  };
  return tf.tidy(() => inFullPrecision(make));
}

/** @param chosen `[views]`, 1 for those whose values of one half and more are inverted */
function solarize(views: Tensor, chosen: Tensor): Tensor {
  const inverted = views
    .greaterEqual(0.5)
    .toFloat()
    .mul(chosen.reshape([-1, 1, 1, 1]));
  return views.add(inverted.mul(tf.sub(1, views.mul(2))));
}

/**
 * The view that a model is evaluated on: the center of the image, resized with antialiasing (torchvision's
 * `CenterCrop` and `Resize`). The paper's reference takes 287 px and resizes them to 224.
 *
 * @param images `[batch, height, width, 3]`
 * @param options.crop side of the center square, px; by default the whole of the shorter side
 * @param options.size side of the view, px
 * @throws RangeError if the image is smaller than the crop
 */
export function centerView(images: Tensor, { crop, size }: { crop?: number; size: number }): Tensor {
  const { batch, height, width } = imageShape(images);
  const side = crop ?? Math.min(height, width);
  if (!(Number.isInteger(side) && side > 0 && side <= height && side <= width)) {
    throw new RangeError(`a center crop of ${side} px does not fit into an image of ${height} x ${width} px`);
  }
  const matrix = (length: number) =>
    resizeMatrix(tf.tile(tf.tensor2d([[halfRoundedToEven(length - side), side, 0]]), [batch, 1]), length, size);
  const make = () => {
    if (side === size && side === height && side === width) return images.clone();
    const planes = tf.transpose(alongRows(matrix(height), images), [0, 3, 1, 2]);
    return tf.transpose(alongColumns(matrix(width), planes), [0, 2, 3, 1]);
  };
  return tf.tidy(() => inFullPrecision(make));
}

/** torchvision places its center crop with Python's `round`, which takes halves to the even number. */
function halfRoundedToEven(margin: number): number {
  const half = Math.floor(margin / 2);
  return margin % 2 === 1 && half % 2 === 1 ? half + 1 : half;
}

function imageShape(images: Tensor, orBytes?: 'or bytes'): { batch: number; height: number; width: number } {
  const [batch, height, width, channels] = images.shape;
  const fits = images.dtype === 'float32' || (orBytes !== undefined && isByteTensor(images));
  if (images.rank !== 4 || channels !== 3 || !fits) {
    throw new RangeError(
      `images are float32 [batch, height, width, 3] in 0..1; got ${images.dtype} [${images.shape}]` +
        ' (imagesFromBytes makes them from bytes)',
    );
  }
  return { batch: batch!, height: height!, width: width! };
}
