import { gather, getTensor, type Tensor, type Tensors, tf } from '../engine/index.js';

/**
 * The views of masks that belong to `applyViews`' of their images, from the same parameters: the same crops and flips. A px
 * of a view takes the class at its center, so that none are mixed, where its image has what lies around that center. Part of
 * a compiled step, as that is.
 *
 * @param masks int32 `[batch, height, width]`
 * @param parameters what `drawViewParameters` drew, of one view a mask
 * @param size side of the views, px
 * @returns int32 `[batch, size, size]`
 */
export function applyMaskViews(masks: Tensor, parameters: Tensors, size: number): Tensor {
  const [cropRows, cropColumns] = ['cropRows', 'cropColumns'].map((name) => getTensor(parameters, name));
  if (masks.rank !== 3 || masks.dtype !== 'int32' || masks.shape[0] !== cropRows!.shape[0]) {
    throw new RangeError(
      `masks are int32 [batch, height, width], one for each of ${cropRows!.shape[0]} views; ` +
        `got ${masks.dtype} [${masks.shape}]`,
    );
  }
  const [batch, height, width] = masks.shape as [number, number, number];
  return tf.tidy(() => {
    // Not rows and then columns: oneDNN logs an error where whole numbers are transposed on a CPU without AVX-512.
    const rows = pixelsOf(cropRows!, size).mul(tf.scalar(width, 'int32')).expandDims(2);
    const places = rows.add(pixelsOf(cropColumns!, size).expandDims(1)).reshape([batch, size * size]);
    return gather(masks.reshape([batch, height * width]), places, { perSample: true }).reshape([batch, size, size]);
  });
}

/**
 * The px of the image that lies under the center of each px of a view.
 *
 * @param crops `[views, 3]`: start px, length px, 1 if flipped
 * @returns int32 `[views, size]`
 */
function pixelsOf(crops: Tensor, size: number): Tensor {
  const [start, length, flipped] = tf.split(crops, 3, 1) as [Tensor, Tensor, Tensor];
  const places = tf.range(0, size).expandDims(0);
  const read = places.add(flipped.mul(tf.sub(size - 1, places.mul(2))));
  // One division of whole numbers: a center on the border of two px falls to the same one whatever the crop.
  const pixels = read
    .mul(2)
    .add(1)
    .mul(length)
    .div(2 * size)
    .floor();
  return pixels.add(start).toInt();
}
