import { resizeBicubic, type Tensor, tf } from '../engine/index.js';

/**
 * Position embeddings of a square of patches for another number of patches, as timm resamples them: bicubic, smoothed
 * where the number shrinks. Those of the tokens before the patches stay.
 *
 * @param positions `[1, prefix + side * side, width]`
 * @param prefix how many tokens stand before the patches
 * @returns `[1, prefix + rows * columns, width]`
 */
export function resamplePositions(
  positions: Tensor,
  [rows, columns]: readonly [number, number],
  prefix: number,
): Tensor {
  const [, count, width] = positions.shape as [number, number, number];
  const side = Math.sqrt(count - prefix);
  if (!Number.isInteger(side)) {
    throw new RangeError(
      `positions [${positions.shape}] do not fit a square grid of patches with ${prefix} other tokens`,
    );
  }
  if (rows === side && columns === side) return positions;
  const grid = positions.slice([0, prefix, 0], [-1, -1, -1]).reshape([1, side, side, width]);
  const resampled = resizeBicubic(grid, [rows, columns]).reshape([1, rows * columns, width]);
  return prefix === 0 ? resampled : tf.concat([positions.slice([0, 0, 0], [-1, prefix, -1]), resampled], 1);
}

/**
 * Fixed position embeddings of a square of patches, as MAE's (He et al., 2021; arXiv 2111.06377), computed in float64: of
 * the width, the first half encodes the column and the second the row, each as sines and then cosines of falling
 * frequencies. The token before the patches has zeros.
 *
 * @param width a multiple of 4
 * @returns `[1, 1 + side * side, width]`
 */
export function sineCosinePositions(side: number, width: number): Tensor {
  if (width % 4 !== 0) throw new RangeError(`sine-cosine positions need a width divisible by 4; got ${width}`);
  const quarter = width / 4;
  const values = new Float32Array((1 + side * side) * width);
  for (let patch = 0; patch < side * side; patch++) {
    for (const [half, place] of [patch % side, Math.floor(patch / side)].entries()) {
      for (let i = 0; i < quarter; i++) {
        const angle = place * 10_000 ** (-i / quarter);
        const at = (1 + patch) * width + half * 2 * quarter + i;
        values[at] = Math.sin(angle);
        values[at + quarter] = Math.cos(angle);
      }
    }
  }
  return tf.tensor3d(values, [1, 1 + side * side, width]);
}
