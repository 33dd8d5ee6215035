import { imagesOfDecoded } from '../augment/index.js';
import { InterruptedError } from '../base/index.js';
import { compile, type Precision, type Tensor, uploadBytes } from '../engine/index.js';
import { placesOfRead, readAhead, type Slide } from '../slides/index.js';

export interface PredictTilesOptions {
  /** Tiles that are predicted at a time. */
  batchSize?: number;
  /** What the network's costly ops compute in; float32 by default. */
  precision?: Precision;
  signal?: AbortSignal;
}

/** Squares of a slide that are predicted, all of one size. */
export interface Tiles {
  /** Left top corners, level-0 px. */
  places: readonly { x: number; y: number }[];
  /** Side of a tile's image, px. */
  size: number;
  /** Size of its pixel, um. */
  mpp: number;
  /** Whether pixels beside a tile count where they are resampled, so that tiles meet without a seam (see `readManyAt`). */
  margin: boolean;
}

/**
 * Predicts class probabilities of a slide's tiles, in their order. Tiles are read ahead, and while one batch is predicted
 * the caller has the one before. The last batch is filled up with empty images, so that the function is compiled once.
 *
 * @param predict from images `[batch, size, size, 3]`, float32 0 to 1, to class probabilities, `[batch, ...shape]`: the last
 *   axis is the classes. It is compiled; `predictedViews` gives what a trained network predicts
 * @param shape of a tile's probabilities
 * @yields each tile's number and its probabilities, `[...shape]`
 * @throws RangeError when `predict` gives another shape, or what are no probabilities; InterruptedError when `signal` aborts
 */
export async function* predictTiles(
  slide: Slide,
  { places, size, mpp, margin }: Tiles,
  predict: (images: Tensor) => Tensor,
  shape: readonly number[],
  { batchSize = 16, precision, signal }: PredictTilesOptions = {},
): AsyncGenerator<{ tile: number; probabilities: Float32Array }> {
  if (!(Number.isSafeInteger(batchSize) && batchSize > 0)) {
    throw new RangeError(`batchSize must be a whole number above 0; got ${batchSize}`);
  }
  if (places.length === 0) return;
  const batch = Math.min(batchSize, places.length);
  const imageBytes = size * size * 3;
  const compute = compile(
    function predictTiles(bytes: Tensor) {
      const predicted = predict(imagesOfDecoded(bytes));
      const expected = [batch, ...shape];
      if (String(predicted.shape) !== String(expected)) {
        throw new RangeError(
          `predict gave [${predicted.shape}] for images [${bytes.shape}]; it should give class probabilities ` +
            `[${expected}], of which the last axis is the classes`,
        );
      }
      return predicted.toFloat();
    },
    { precision },
  );
  const each = shape.reduce((product, side) => product * side, 1);
  async function* tilesOf({ first, count, output }: Running) {
    const predicted = await output;
    const values = await predicted.data<'float32'>();
    predicted.dispose();
    for (let tile = 0; tile < count; tile++) {
      const probabilities = values.subarray(tile * each, (tile + 1) * each);
      const sum = probabilities.subarray(0, shape.at(-1)).reduce((held, probability) => held + probability, 0);
      if (!(Math.abs(sum - 1) < 1e-3)) {
        const { x, y } = places[first + tile]!;
        throw new RangeError(
          `the class probabilities of the tile at (${x}, ${y}) sum to ${sum.toPrecision(4)}, not to 1: predict gives softmax ` +
            'outputs, not logits',
        );
      }
      yield { tile: first + tile, probabilities };
    }
  }
  let running: Running | undefined;
  const start = (images: Uint8Array, first: number, count: number) => {
    const bytes = uploadBytes(images, [batch, size, size, 3]);
    const output = compute(bytes);
    bytes.dispose();
    // Its turn to be awaited comes later.
    output.catch(() => {});
    return { first, count, output };
  };
  try {
    const where = { width: size, height: size, mpp, margin };
    const concurrency = Math.max(slide.parallelReads, Math.ceil(batch / placesOfRead));
    let [first, count] = [0, 0];
    let images = new Uint8Array(batch * imageBytes);
    for await (const read of readAhead(slide, places, where, { concurrency, signal })) {
      for (const image of read) {
        images.set(image, count++ * imageBytes);
        if (count < batch && first + count < places.length) continue;
        if (signal?.aborted) throw new InterruptedError(`predicting tiles of ${slide.path} was interrupted`);
        const before = running;
        running = start(images, first, count);
        // The batch under way needs its own.
        images = new Uint8Array(batch * imageBytes);
        [first, count] = [first + count, 0];
        if (before) yield* tilesOf(before);
      }
    }
    const last = running;
    running = undefined;
    if (last) yield* tilesOf(last);
  } finally {
    await running?.output.then(
      (output) => output.dispose(),
      () => {},
    );
    compute.dispose();
  }
}

interface Running {
  first: number;
  count: number;
  output: Promise<Tensor>;
}
