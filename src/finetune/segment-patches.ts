import { imagesOfDecoded } from '../augment/index.js';
import { type Compiled, compile, disposeTensors, type Tensor, type Tensors, tf } from '../engine/index.js';
import type { ExtractOptions } from '../evaluate/index.js';
import { type BatchSource, batchesOnce } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import { type PredictedAs, predictedViews } from './predict.js';

/** A patch's predicted and true classes. */
export interface SegmentedPatch {
  /** Row of the index. */
  row: number;
  /** Sides, px. */
  width: number;
  height: number;
  /** `[height, width]`, the most probable class of each px. */
  predicted: Uint8Array;
  /** `[height, width]`, classes or the ignored value. */
  mask: Uint8Array;
}

/**
 * Predicts the class of each px of whole patches, at the size at which their source decodes them, whatever the size of the
 * training's views. Compiled once for all sources that are decoded alike; weights are an argument.
 */
export class PatchSegmenter {
  /** By encoding and batch size. */
  private readonly compiled = new Map<
    string,
    Compiled<[ModelTensors, Tensors], { predicted: Tensor; masks: Tensor; broken: Tensor }>
  >();

  /** @param as of its view, the colors count */
  constructor(private readonly as: PredictedAs) {}

  /**
   * @param source with masks, not shuffled
   * @yields each patch, in the source's order
   * @throws InterruptedError if the signal aborts; RangeError if the source is shuffled or has no masks, and for
   *   probabilities that are not numbers
   */
  async *segment(
    model: ModelTensors,
    source: BatchSource,
    { onProgress, signal }: ExtractOptions = {},
  ): AsyncGenerator<SegmentedPatch> {
    const compute = this.compiledFor(source);
    const { size, rows } = source;
    for await (const { loaded, first, count } of batchesOnce(source, signal)) {
      const output = await compute(model, loaded);
      const [found, actual, broken] = await Promise.all(
        [output.predicted, output.masks, output.broken].map((of) => of.data()),
      );
      disposeTensors(output);
      const place = broken!.findIndex((flag, patch) => flag !== 0 && patch < count);
      if (place >= 0) {
        throw new RangeError(
          `the class probabilities of patch ${rows[first + place]} are not numbers: did the training diverge?`,
        );
      }
      for (let patch = 0; patch < count; patch++) {
        const part = (values: ArrayLike<number>) =>
          Uint8Array.from({ length: size ** 2 }, (_, at) => values[patch * size ** 2 + at]!);
        yield { row: rows[first + patch]!, width: size, height: size, predicted: part(found!), mask: part(actual!) };
      }
      onProgress?.(first + count, source.count);
    }
  }

  /** Frees the compiled functions. */
  dispose(): void {
    for (const compiled of this.compiled.values()) compiled.dispose();
    this.compiled.clear();
  }

  private compiledFor(source: BatchSource) {
    const key = `${source.encodingKey} ${source.batchSize}`;
    let compiled = this.compiled.get(key);
    if (!compiled) {
      const { method, view, testTime = 'none' } = this.as;
      const whole = { size: source.size, colors: view.colors };
      compiled = compile(function segmentPatches(model: ModelTensors, loaded: Tensors) {
        const { images, masks } = source.decode(loaded);
        if (!masks)
          throw new RangeError('patches are segmented beside their masks: make the BatchSource with masks: true');
        const probabilities = predictedViews({ method, model, view: whole }, imagesOfDecoded(images), testTime);
        const broken = tf.isNaN(probabilities).any([1, 2, 3]).toInt();
        return { predicted: probabilities.argMax(-1).toInt(), masks, broken };
      });
      this.compiled.set(key, compiled);
    }
    return compiled;
  }
}
