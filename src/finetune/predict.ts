import { centerView, imagesOfDecoded, normalize } from '../augment/index.js';
import { type Compiled, compile, type Tensor, type Tensors, tf } from '../engine/index.js';
import type { EvaluationView, ExtractOptions } from '../evaluate/index.js';
import { type BatchSource, batchesOnce } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import type { AnyMethod } from '../pretrain/index.js';
import { orientations, type TestTimeAugmentation } from './test-time.js';

/** A trained network that names the class of an image, or of each of its pixels. */
export interface Predictor {
  /** With `predict`. */
  method: AnyMethod;
  model: ModelTensors;
  view: EvaluationView;
}

/** What decides how patches are seen: all of a predictor but its weights. */
export type PredictedAs = Omit<Predictor, 'model'> & {
  /** Over which orientations of a patch the probabilities are averaged; by default the patch as it is. */
  testTime?: TestTimeAugmentation;
};

/**
 * Class probabilities of sources' patches, compiled once for all that are decoded alike. Weights are an argument, so that a
 * network in training, or several of a kind, are compiled once.
 */
export class PatchPredictor {
  /** By encoding and batch size. */
  private readonly compiled = new Map<string, Compiled<[ModelTensors, Tensors], Tensor>>();

  constructor(private readonly as: PredictedAs) {}

  /**
   * @returns `[count, classes]`, or `[count, size, size, classes]` of a network that predicts pixels (see `PatchSegmenter`, which
   *   takes less memory); row-major, in the source's order
   * @throws InterruptedError if the signal aborts; RangeError if the source is shuffled
   */
  async predict(
    model: ModelTensors,
    source: BatchSource,
    { onProgress, signal }: ExtractOptions = {},
  ): Promise<{ values: Float32Array; count: number; classes: number }> {
    const probabilities = this.compiledFor(source);
    let values: Float32Array | undefined;
    let classes = 0;
    for await (const { loaded, first, count } of batchesOnce(source, signal)) {
      const batch = await probabilities(model, loaded);
      classes = batch.shape.at(-1)!;
      const each = batch.size / source.batchSize;
      values ??= new Float32Array(source.count * each);
      values.set((await batch.data<'float32'>()).subarray(0, count * each), first * each);
      batch.dispose();
      onProgress?.(first + count, source.count);
    }
    return { values: values!, count: source.count, classes };
  }

  /** Frees the compiled functions. */
  dispose(): void {
    for (const compiled of this.compiled.values()) compiled.dispose();
    this.compiled.clear();
  }

  private compiledFor(source: BatchSource): Compiled<[ModelTensors, Tensors], Tensor> {
    const key = `${source.encodingKey} ${source.batchSize}`;
    let compiled = this.compiled.get(key);
    if (!compiled) {
      const { testTime = 'none', ...as } = this.as;
      compiled = compile(function probabilities(model: ModelTensors, loaded: Tensors) {
        return predictedViews({ ...as, model }, imagesOfDecoded(source.decode(loaded).images), testTime);
      });
      this.compiled.set(key, compiled);
    }
    return compiled;
  }
}

/** Class probabilities of a source's patches; see `PatchPredictor`. */
export async function predictPatches(
  { model, ...as }: Predictor,
  source: BatchSource,
  { testTime, ...options }: ExtractOptions & Pick<PredictedAs, 'testTime'> = {},
): ReturnType<PatchPredictor['predict']> {
  const predictor = new PatchPredictor({ ...as, testTime });
  try {
    return await predictor.predict(model, source, options);
  } finally {
    predictor.dispose();
  }
}

/**
 * Class probabilities of patches, averaged over orientations.
 *
 * @param images `[batch, side, side, 3]`, float32 0 to 1
 * @returns `[batch, classes]`, or `[batch, size, size, classes]` at the view's size
 */
export function predictedViews(
  { method, model, view }: Predictor,
  images: Tensor,
  testTime: TestTimeAugmentation,
): Tensor {
  const { predict, name } = method;
  if (!predict) throw new TypeError(`${name} learns without classes, and predicts none`);
  const crop = Math.round((view.crop ?? 1) * images.shape[1]!);
  const seen = normalize(centerView(images, { crop, size: view.size }), view.colors);
  const all = orientations(testTime).map(({ turn, turnBack }) => {
    const probabilities = tf.softmax(predict(model, turn(seen))) as Tensor;
    return probabilities.rank === 4 ? turnBack(probabilities) : probabilities;
  });
  return tf.addN(all).div(all.length);
}
