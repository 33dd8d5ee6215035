import { imagesOfDecoded } from '../augment/index.js';
import { type Compiled, compile, type Tensor, type Tensors } from '../engine/index.js';
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
 * training's views. One compiled function for each source; weights are an argument.
 */
export class PatchSegmenter {
  private readonly compiled = new Map<
    BatchSource,
    Compiled<[ModelTensors, Tensors], { predicted: Tensor; masks: Tensor }>
  >();

  /** @param as of its view, the colors count */
  constructor(private readonly as: PredictedAs) {}

  /**
   * @param source with masks, not shuffled
   * @yields each patch, in the source's order
   * @throws InterruptedError if the signal aborts; RangeError if the source is shuffled or has no masks
   */
  async *segment(
    model: ModelTensors,
    source: BatchSource,
    { onProgress, signal }: ExtractOptions = {},
  ): AsyncGenerator<SegmentedPatch> {
    const compute = this.compiledFor(source);
    const { size, rows } = source;
    for await (const { loaded, first, count } of batchesOnce(source, signal)) {
      const { predicted, masks } = await compute(model, loaded);
      const [found, actual] = await Promise.all([predicted.data(), masks.data()]);
      predicted.dispose();
      masks.dispose();
      for (let patch = 0; patch < count; patch++) {
        const part = (values: ArrayLike<number>) =>
          Uint8Array.from({ length: size ** 2 }, (_, at) => values[patch * size ** 2 + at]!);
        yield { row: rows[first + patch]!, width: size, height: size, predicted: part(found), mask: part(actual) };
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
    let compiled = this.compiled.get(source);
    if (!compiled) {
      const { method, view, testTime = 'none' } = this.as;
      const whole = { size: source.size, colors: view.colors };
      compiled = compile(function segmentPatches(model: ModelTensors, loaded: Tensors) {
        const { images, masks } = source.decode(loaded);
        if (!masks)
          throw new RangeError('patches are segmented beside their masks: make the BatchSource with masks: true');
        const probabilities = predictedViews({ method, model, view: whole }, imagesOfDecoded(images), testTime);
        return { predicted: probabilities.argMax(-1).toInt(), masks };
      });
      this.compiled.set(source, compiled);
    }
    return compiled;
  }
}
