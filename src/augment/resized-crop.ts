import { attribute, hasCustomOps, isByteTensor, runOp, type Tensor, tf } from '../engine/index.js';
import { clip } from './color.js';
import { alongColumns, alongRows, type Interpolation, resizeMatrix } from './resample.js';

interface Crops {
  rows: Tensor;
  columns: Tensor;
  interpolation?: Interpolation;
}

/**
 * Crops of images, flipped or not, resized with antialiasing (see `resizeMatrix` for the weights).
 *
 * @param images `[batch, height, width, 3]`: float32 in 0..1, or bytes
 * @param crops of rows and of columns, each `[views, 3]`: start px, length px, 1 if flipped; views are a multiple of the
 *   batch: several of the first image, of the second, and so on; `bilinear` unless they say `bicubic`, whose overshoot is
 *   cut off
 * @returns float32 in 0..1, `[views, size, size, 3]`
 */
export function resizedCrops(images: Tensor, crops: Crops, size: number): Tensor {
  if (!hasCustomOps()) return composedResizedCrops(images, crops, size);
  const isBytes = isByteTensor(images);
  return tf.tidy(() =>
    runOp(
      'PathlabResizedCrop',
      [
        attribute.type('T', isBytes ? 'uint8' : 'float32'),
        attribute.float('scale', isBytes ? 1 / 255 : 1),
        attribute.bool('cubic', crops.interpolation === 'bicubic'),
      ],
      [images, crops.rows, crops.columns, tf.zeros([size])],
    ),
  );
}

/** The same from TensorFlow's own ops: two products with matrices that are mostly zeros. */
export function composedResizedCrops(images: Tensor, { rows, columns, interpolation }: Crops, size: number): Tensor {
  const [, height, width] = images.shape as [number, number, number, number];
  return tf.tidy(() => {
    const floats = isByteTensor(images) ? imagesOfDecoded(images) : images;
    const shrunk = alongRows(resizeMatrix(rows, height, size, interpolation), floats);
    const matrix = resizeMatrix(columns, width, size, interpolation);
    const made = tf.transpose(alongColumns(matrix, tf.transpose(shrunk, [0, 3, 1, 2])), [0, 2, 3, 1]);
    return interpolation === 'bicubic' ? clip(made) : made;
  });
}

/** Bytes, as `decodeJpegs` gives them, as float32 in 0..1. */
export function imagesOfDecoded(bytes: Tensor): Tensor {
  return tf.tidy(() =>
    runOp('Cast', [attribute.type('SrcT', 'uint8'), attribute.type('DstT', 'float32')], [bytes]).div(255),
  );
}
