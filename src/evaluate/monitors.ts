import type { BatchSource } from '../input/index.js';
import { featureStd, rankMe } from './collapse.js';
import { type Encoder, FeatureExtractor, type Features } from './features.js';
import { knnClassify } from './knn.js';

/** Metrics that share an axis of a training's chart. */
export interface MonitorPanel {
  /** Title of the axis. */
  title: string;
  /** Names of the metrics, as steps and evaluations report them. */
  metrics: readonly string[];
  /** Ends of the axis; by default those of the values. */
  domain?: readonly [low: number, high: number];
  /** Of the axis, as d3-format has it: `.0%`. */
  format?: string;
  /** A level to compare with, drawn as a dashed line. */
  reference?: { value: number; label: string };
}

/** Looks at a backbone while it is trained. It does not influence the training. */
export interface Monitor {
  everySteps: number;
  panel: MonitorPanel;
  run(encoder: Encoder): Promise<Record<string, number>>;
  /** Frees what it compiled. */
  dispose(): void;
}

export interface MonitorOptions {
  everySteps: number;
  signal?: AbortSignal;
}

/**
 * kNN accuracy on held-out patches: how well their classes are found among the bank's, by cosine similarity of features.
 *
 * @param options.bank labelled patches of the training split
 * @param options.queries labelled patches of other patients or slides
 */
export function knnMonitor(
  options: MonitorOptions & { bank: BatchSource; queries: BatchSource; neighbors?: number },
): Monitor {
  const { bank, queries, neighbors, everySteps, signal } = options;
  const classes = bank.dataset.classNames.length;
  return monitorOf(everySteps, signal, {
    panel: {
      title: 'kNN accuracy',
      metrics: ['knnAccuracy'],
      domain: [0, 1],
      format: '.0%',
      reference: { value: chanceAccuracy(queries), label: 'the commonest class' },
    },
    sources: [bank, queries],
    measure: async ([known, asked]) => {
      const { accuracy } = await knnClassify(known!, bank.labels, asked!, queries.labels, { classes, neighbors });
      return { knnAccuracy: accuracy };
    },
  });
}

/** Whether features collapse: their standard deviation and their effective rank (see `featureStd`, `rankMe`). */
export function collapseMonitor({ patches, everySteps, signal }: MonitorOptions & { patches: BatchSource }): Monitor {
  return monitorOf(everySteps, signal, {
    panel: { title: 'RankMe', metrics: ['rankMe'] },
    sources: [patches],
    measure: async ([features]) => ({ embeddingStd: featureStd(features!), rankMe: rankMe(features!) }),
  });
}

/** Accuracy of naming the commonest class of all. */
export function chanceAccuracy({ labels, dataset }: BatchSource): number {
  const counts = dataset.classNames.map((_, label) => labels.filter((other) => other === label).length);
  return Math.max(...counts) / labels.length;
}

function monitorOf(
  everySteps: number,
  signal: AbortSignal | undefined,
  options: {
    panel: MonitorPanel;
    sources: readonly BatchSource[];
    measure: (features: readonly Features[]) => Promise<Record<string, number>>;
  },
): Monitor {
  let extractor: FeatureExtractor | undefined;
  return {
    everySteps,
    panel: options.panel,
    async run({ backbone, model, view }) {
      extractor ??= new FeatureExtractor(backbone, view);
      const features: Features[] = [];
      for (const source of options.sources) features.push(await extractor.extract(model, source, { signal }));
      return options.measure(features);
    },
    dispose() {
      extractor?.dispose();
      extractor = undefined;
    },
  };
}
