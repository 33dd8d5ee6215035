import { applyViews, drawViewParameters, normalize, type ViewRecipe } from '../augment/index.js';
import type { Key } from '../base/index.js';
import { type Compiled, compile, disposeTensors, type Tensor, type Tensors } from '../engine/index.js';
import type { BatchSource } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import { alignment, uniformity } from './alignment.js';
import { featureStd, rankMe } from './collapse.js';
import { areFinite, type Encoder, FeatureExtractor, type Features } from './features.js';
import { ifFinite } from './if-finite.js';
import { knnClassify } from './knn.js';
import { linearProbe } from './linear-probe.js';

/** Metrics on one axis of the training chart. */
export interface MonitorPanel {
  /** Title of the axis. */
  title: string;
  /** Names of the metrics, as steps and evaluations report them. */
  metrics: readonly string[];
  /** Ends of the axis; by default those of the values. */
  domain?: readonly [low: number, high: number];
  /** Number format of the axis (d3-format): `.0%`. */
  format?: string;
  /** A level to compare with, drawn as a dashed line. */
  reference?: { value: number; label: string };
  /** Half as wide, below the others. */
  small?: boolean;
}

/** Evaluates a backbone during training, without influence on it. What is not defined, it finds to be NaN. */
export interface Monitor {
  everySteps: number;
  panels: readonly MonitorPanel[];
  /** @param model all that is trained, of which the encoder is a part */
  run(encoder: Encoder, model: ModelTensors): Promise<Record<string, number>>;
  /** Frees compiled functions. */
  dispose(): void;
}

export interface MonitorOptions {
  everySteps: number;
  signal?: AbortSignal;
  /** Shared by monitors of the same patches at the same steps; by default each has its own. */
  features?: MonitoredFeatures;
}

/** Features for monitors, computed once for each source and state of a backbone. */
export class MonitoredFeatures {
  private extractor: FeatureExtractor | undefined;
  private readonly found = new Map<BatchSource, { weights: number; features: Promise<Features> }>();

  constructor(private readonly signal?: AbortSignal) {}

  of(encoder: Encoder, source: BatchSource): Promise<Features> {
    const { model } = encoder;
    // A step creates new tensors.
    const weights = Object.values(model.parameters)[0]!.id;
    const known = this.found.get(source);
    if (known?.weights === weights) return known.features;
    const features = this.extractorOf(encoder).extract(model, source, { signal: this.signal });
    this.found.set(source, { weights, features });
    return features;
  }

  /** The same compiled backbone for images that are no source's, as `FeatureExtractor.valuesOf`. */
  ofImages(encoder: Encoder, images: Tensor, count: number): Promise<Float32Array> {
    return this.extractorOf(encoder).valuesOf(encoder.model, images, count);
  }

  dispose(): void {
    this.extractor?.dispose();
    this.extractor = undefined;
    this.found.clear();
  }

  private extractorOf({ backbone, view }: Encoder): FeatureExtractor {
    this.extractor ??= new FeatureExtractor(backbone, view);
    return this.extractor;
  }
}

/**
 * Accuracy on held-out patches, by kNN with cosine similarity and by a linear classifier (see `knnClassify` and
 * `linearProbe`).
 *
 * @param options.bank labelled patches of the training split
 * @param options.queries labelled patches of other patients or slides
 */
export function accuracyMonitor(
  options: MonitorOptions & { bank: BatchSource; queries: BatchSource; neighbors?: number },
): Monitor {
  const { bank, queries, neighbors } = options;
  const classes = bank.dataset.classNames.length;
  return monitorOf(options, {
    panels: [
      {
        title: 'accuracy',
        metrics: ['knnAccuracy', 'linearAccuracy'],
        domain: [0, 1],
        format: '.0%',
        reference: { value: chanceAccuracy(queries), label: 'most frequent class' },
      },
    ],
    sources: [bank, queries],
    measure: ifFinite(['knnAccuracy', 'linearAccuracy'], async ([known, asked]) => {
      const { accuracy } = await knnClassify(known!, bank.labels, asked!, queries.labels, { classes, neighbors });
      const linear = await linearProbe(known!, bank.labels, asked!, queries.labels, { classes });
      return { knnAccuracy: accuracy, linearAccuracy: linear.accuracy };
    }),
  });
}

/**
 * Collapse of features: standard deviation, effective rank and uniformity (see `featureStd`, `rankMe` and
 * `uniformity`). `findCollapse` judges them.
 */
export function collapseMonitor(options: MonitorOptions & { patches: BatchSource }): Monitor {
  return monitorOf(options, {
    panels: [
      { title: 'embedding deviation', metrics: ['embeddingStd'], domain: [0, 1], small: true },
      { title: 'RankMe', metrics: ['rankMe'], small: true },
      { title: 'uniformity', metrics: ['uniformity'], small: true },
    ],
    sources: [options.patches],
    measure: ifFinite(['embeddingStd', 'rankMe', 'uniformity'], async ([features]) => ({
      embeddingStd: featureStd(features!),
      rankMe: rankMe(features!),
      uniformity: uniformity(features!),
    })),
  });
}

/**
 * Alignment of two views of a patch (see `alignment`), for the source's first batch and always the same views.
 *
 * @param options.views of the method
 */
export function alignmentMonitor(
  options: MonitorOptions & { patches: BatchSource; views: ViewRecipe; key: Key },
): Monitor {
  const { patches, views, key, everySteps, signal, features: all = new MonitoredFeatures(signal) } = options;
  const { batchSize, size } = patches;
  let compiled: Compiled<[Tensors, Tensors], Tensor> | undefined;
  return {
    everySteps,
    panels: [{ title: 'alignment', metrics: ['alignment'], small: true }],
    async run(encoder) {
      const { backbone, view } = encoder;
      compiled ??= compile(function alignedViews(loaded: Tensors, drawn: Tensors) {
        return normalize(applyViews(patches.decode(loaded).images, drawn, views), view.colors);
      });
      const loaded = await patches.load(0);
      const count = Math.min(batchSize, patches.count);
      const found: Features[] = [];
      for (const number of [0, 1]) {
        const drawn = drawViewParameters(views, batchSize, { height: size, width: size }, key.fold(number));
        const images = await compiled(loaded, drawn).finally(() => disposeTensors(drawn));
        found.push({ values: await all.ofImages(encoder, images, count), count, width: backbone.featureSize });
      }
      disposeTensors(loaded);
      return { alignment: found.every(areFinite) ? alignment(found[0]!, found[1]!) : Number.NaN };
    },
    dispose() {
      compiled?.dispose();
      compiled = undefined;
      all.dispose();
    },
  };
}

/** Chance level: accuracy of always predicting the most frequent class. */
export function chanceAccuracy({ labels, dataset }: BatchSource): number {
  const counts = dataset.classNames.map((_, label) => labels.filter((other) => other === label).length);
  return Math.max(...counts) / labels.length;
}

function monitorOf(
  { everySteps, signal, features: all = new MonitoredFeatures(signal) }: MonitorOptions,
  options: {
    panels: readonly MonitorPanel[];
    sources: readonly BatchSource[];
    measure: (features: readonly Features[]) => Promise<Record<string, number>>;
  },
): Monitor {
  return {
    everySteps,
    panels: options.panels,
    async run(encoder) {
      const features: Features[] = [];
      for (const source of options.sources) features.push(await all.of(encoder, source));
      return options.measure(features);
    },
    dispose: () => all.dispose(),
  };
}
