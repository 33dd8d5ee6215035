import type { Encoder } from '../evaluate/index.js';
import type { PretrainExperiment } from '../experiments/index.js';
import { initialFilesOf } from '../report/index.js';
import type { Metric } from '../runs/index.js';
import type { FinishedRun } from './finished-run.js';

/** Facts of a model card that are not in the run. */
export interface CardFacts {
  run: FinishedRun;
  experiment: PretrainExperiment;
  encoder: Encoder;
  metrics: readonly Metric[];
  parameters: number;
  /** Of the exported file, by name. */
  sha256: Record<string, string>;
  /** Code that loads the file. */
  loading: { language: string; code: string };
}

interface DataFacts {
  name: string;
  origin: string;
  licence: string;
  synthetic: boolean;
  sha256: string;
}

/** The model card of an exported backbone, in Markdown (Mitchell et al., 2019; arXiv 1810.03993). */
export function modelCard({ run, experiment, encoder, metrics, parameters, sha256, loading }: CardFacts): string {
  const { backbone, view } = encoder;
  const { crop = 1 } = view;
  const data = run.data as unknown as DataFacts[];
  const { settings, batchSize, method } = experiment;
  const duration = settings.steps === undefined ? `${settings.epochs} epochs` : `${settings.steps} steps`;
  const row = (cells: readonly unknown[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
  const table = (head: readonly string[], rows: readonly (readonly unknown[])[]) =>
    [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');
  const inputs = Object.entries(initialFilesOf(run.weights));
  const isSynthetic = data.some(({ synthetic }) => synthetic);
  const limits = [
    'It is for research. It has not been validated for diagnosis, and must not be used for it.',
    ...(run.scale === 'paper' ? [] : [`It was trained at ${run.scale} scale, in minutes, as a demonstration only.`]),
    ...(isSynthetic ? ['It was trained on synthetic tissue and is of no use on real slides.'] : []),
    'The model may perform worse on stains, scanners and organs that are not in its data; check sites before trusting a metric.',
    'Its metrics are from one run with one seed.',
  ];
  return `---
tags: [histopathology, feature-extraction]
library_name: ${loading.language === 'python' ? 'timm' : 'tensorflow'}
---

# ${backbone.name}, pretrained with ${method.name}

Features of patches of pathology slides: ${backbone.featureSize} numbers for an image. ${parameters.toLocaleString('en')} parameters, without a classifier.
Architecture: ${backbone.source}.

## How to load it

\`\`\`${loading.language}
${loading.code}
\`\`\`

Images are resized to ${view.size} x ${view.size} px${crop < 1 ? ` after the middle ${(100 * crop).toFixed(1)} % of their side is cut out` : ''}, scaled to 0 to 1, and normalized with mean [${view.colors.mean}] and standard deviation [${view.colors.std}], in the order red, green, blue.

## How it was made

${table(
  ['', ''],
  [
    ['method', method.name],
    ['method settings', JSON.stringify(method.settings)],
    ['scale', run.scale],
    [
      'training',
      `${duration}, batch ${batchSize}, ${settings.optimizer}, learning rate ${settings.learningRate}, ${settings.precision}`,
    ],
    ['seed', run.seed],
    [
      'first weights',
      inputs.length === 0 ? 'random' : inputs.map(([name, hash]) => `${name} (SHA-256 ${hash})`).join(', '),
    ],
    ['notebook', run.notebook],
    ['command', `\`${run.command}\``],
    ['run', run.runHash],
    ['commit', run.gitCommit ?? 'not known'],
    ['started, ended', `${run.started}, ${run.ended}`],
  ],
)}

## Data

${table(
  ['dataset', 'origin', 'licence', 'synthetic', 'SHA-256 of its index'],
  data.map(({ name, origin, licence, synthetic, sha256 }) => [name, origin, licence, synthetic ? 'yes' : 'no', sha256]),
)}

${Object.entries(run.splits)
  .map(([name, hash]) => `Split of ${name}: SHA-256 ${hash}.`)
  .join('\n')}

## Monitors

Measured when the training had ended.

${table(
  ['number', 'value', 'of what'],
  metrics.map(({ name, value, unit = '', about = '' }) => [name, `${value} ${unit}`.trim(), about]),
)}

## Licence

The weights follow from the data: ${data.map(({ name, licence }) => `${name}, ${licence}`).join('; ')}. What these allow is what may be done with the weights.

## Intended use

Features for research on pathology patches: nearest neighbors, linear probes, the start of a fine-tuning. Patches are to be of the magnification of the data above.

## Limits

${limits.map((limit) => `- ${limit}`).join('\n')}

## Files

${table(['file', 'SHA-256'], Object.entries(sha256))}
`;
}
