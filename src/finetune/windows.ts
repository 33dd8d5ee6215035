/** Windows along one side of an image. */
export interface WindowAxis {
  /** Pixels of the image along this side. */
  length: number;
  /** First pixel of each window; all but the last are one step apart. */
  starts: readonly number[];
  /** Of each window, `[size]`: what its pixels count. At each pixel of the image the windows over it add up to 1. */
  weights: readonly Float32Array[];
}

/**
 * Lays windows along one side of an image: the last is moved inwards, so that none reaches over the edge, unless the image
 * is smaller than a window. Weights are a raised cosine, next to 0 at a window's edges, over the sum of all that lie there.
 *
 * @param length of the image, px
 * @param size of a window, px
 * @param overlap pixels that a window has in common with the next
 */
export function windowAxis(length: number, size: number, overlap: number): WindowAxis {
  const step = size - overlap;
  const starts = [0];
  while (starts.at(-1)! + size < length) starts.push(Math.min(starts.at(-1)! + step, length - size));
  const cosine = Float64Array.from({ length: size }, (_, pixel) => Math.sin((Math.PI * (pixel + 0.5)) / size) ** 2);
  const sums = new Float64Array(Math.max(length, size));
  for (const start of starts) for (let pixel = 0; pixel < size; pixel++) sums[start + pixel]! += cosine[pixel]!;
  const weights = starts.map((start) => Float32Array.from(cosine, (weight, pixel) => weight / sums[start + pixel]!));
  return { length, starts, weights };
}
