import { type ColorStatistics, centerView, imagesOfDecoded, normalize } from '../augment/index.js';
import { type Compiled, compile, l2Normalize, type Tensor, type Tensors, tf } from '../engine/index.js';
import { type BatchSource, batchesOnce } from '../input/index.js';
import type { Backbone, ModelTensors } from '../models/index.js';

/** Feature vectors of patches, row by row. */
export interface Features {
  /** `[count, width]`, row-major. */
  values: Float32Array;
  count: number;
  /** Length of one vector. */
  width: number;
}

/** The view for evaluation: a center crop, resized, with normalized colors. */
export interface EvaluationView {
  /** Size of the view, px. */
  size: number;
  /** Size of the center crop, as a fraction of the image's; the whole image by default. */
  crop?: number;
  colors: ColorStatistics;
}

/** A backbone with weights. */
export interface Encoder {
  backbone: Backbone;
  model: ModelTensors;
  view: EvaluationView;
}

export interface ExtractOptions {
  /** Called after each batch with the number of patches done. */
  onProgress?: (done: number, count: number) => void;
  signal?: AbortSignal;
}

/**
 * Runs a backbone in inference mode (running statistics, no dropout) over the patches of sources. The backbone is compiled
 * once for all of them, apart from what decodes their batches. Weights are an argument, so that a backbone in training is
 * not compiled again.
 */
export class FeatureExtractor {
  /** By encoding and batch size. */
  private readonly views = new Map<string, Compiled<[Tensors], Tensor>>();
  /** By the images' shape. */
  private readonly features = new Map<string, Compiled<[ModelTensors, Tensor], Tensor>>();

  constructor(
    private readonly backbone: Backbone,
    private readonly view: EvaluationView,
  ) {}

  /**
   * @returns `[count, featureSize]`, in the source's order
   * @throws InterruptedError if the signal aborts; RangeError if the source is shuffled
   */
  async extract(
    model: ModelTensors,
    source: BatchSource,
    { onProgress, signal }: ExtractOptions = {},
  ): Promise<Features> {
    const { featureSize: width } = this.backbone;
    const views = this.viewsOf(source);
    const values = new Float32Array(source.count * width);
    for await (const { loaded, first, count } of batchesOnce(source, signal)) {
      const images = await views(loaded);
      values.set(await this.valuesOf(model, images, count), first * width);
      onProgress?.(first + count, source.count);
    }
    return { values, count: source.count, width };
  }

  /**
   * Features of the first images of a batch.
   *
   * @param images `[batch, size, size, 3]`, normalized; disposed of
   * @returns `[count, featureSize]`
   */
  async valuesOf(model: ModelTensors, images: Tensor, count: number): Promise<Float32Array> {
    const features = once(this.features, String(images.shape), () => {
      const { backbone } = this;
      return compile(function features(model: ModelTensors, images: Tensor) {
        return backbone.apply(model, images, { training: false }).features;
      });
    });
    const batch = await features(model, images).finally(() => images.dispose());
    const values = await batch.data<'float32'>();
    batch.dispose();
    return values.subarray(0, count * this.backbone.featureSize);
  }

  /** Frees the compiled functions. */
  dispose(): void {
    for (const compiled of [...this.views.values(), ...this.features.values()]) compiled.dispose();
    this.views.clear();
    this.features.clear();
  }

  private viewsOf(source: BatchSource): Compiled<[Tensors], Tensor> {
    const { size, colors, crop: share = 1 } = this.view;
    return once(this.views, `${source.encodingKey} ${source.batchSize}`, () => {
      const crop = Math.round(share * source.size);
      return compile(function evaluationViews(loaded: Tensors) {
        return normalize(centerView(imagesOfDecoded(source.decode(loaded).images), { crop, size }), colors);
      });
    });
  }
}

function once<Value>(made: Map<string, Value>, key: string, make: () => Value): Value {
  const value = made.get(key) ?? make();
  made.set(key, value);
  return value;
}

/** Features of a source's patches; see `FeatureExtractor`. */
export async function extractFeatures(
  { backbone, model, view }: Encoder,
  source: BatchSource,
  options?: ExtractOptions,
): Promise<Features> {
  const extractor = new FeatureExtractor(backbone, view);
  try {
    return await extractor.extract(model, source, options);
  } finally {
    extractor.dispose();
  }
}

/** Some rows, in the order given. */
export function featureRows({ values, width }: Features, rows: readonly number[]): Features {
  const picked = new Float32Array(rows.length * width);
  for (const [place, row] of rows.entries()) picked.set(values.subarray(row * width, (row + 1) * width), place * width);
  return { values: picked, count: rows.length, width };
}

/** Whether all numbers are. */
export function areFinite({ values }: Features): boolean {
  return values.every(Number.isFinite);
}

/** @throws RangeError if the values are not `[count, width]` or hold a number that is not finite */
export function checkFeatures({ values, count, width }: Features, what: string): void {
  if (count < 1 || width < 1 || values.length !== count * width) {
    throw new RangeError(`${what}: ${values.length} values are not [${count}, ${width}]`);
  }
  const broken = values.findIndex((value) => !Number.isFinite(value));
  if (broken >= 0) {
    throw new RangeError(
      `${what}: row ${Math.floor(broken / width)} holds ${values[broken]}: its training has probably diverged`,
    );
  }
}

/** Features on the device with rows of unit length, `[count, width]`; the caller disposes of it. */
export function unitRows({ values, count, width }: Features): Tensor {
  return tf.tidy(() => l2Normalize(tf.tensor2d(values, [count, width])));
}
