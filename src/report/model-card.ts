import { elementsOf } from '../engine/index.js';
import type { Encoder } from '../evaluate/index.js';
import type { PastTraining, PretrainRecipe } from '../experiments/index.js';
import type { ModelTensors } from '../models/index.js';
import type { Metric, Provenance } from '../runs/index.js';

/** A backbone; of a fine-tuned network with all of its tensors and its classes. */
export interface CardModel extends Encoder {
  fineTuned?: { model: ModelTensors; classNames: readonly string[] };
}

/** What a card says of the run: of a finished one, or of one that is about to end. */
export type CardRun = Pick<
  Provenance,
  'notebook' | 'scale' | 'seed' | 'command' | 'runHash' | 'gitCommit' | 'started' | 'ended' | 'data' | 'splits'
>;

/** What a model card says of a kind of model. */
export interface CardWords {
  tags: readonly string[];
  title: string;
  /** What it computes. */
  about: string;
  /** Of the training: what and how. */
  made: readonly (readonly [what: string, how: unknown])[];
  /** SHA-256 of the files that the training began with, by name. */
  firstWeights: Readonly<Record<string, string>>;
  /** What these were trained on before, from the last training back; null is one that is not known. */
  trainings: readonly (PastTraining | null)[];
  /** What the metrics are of. */
  measured: string;
  use: string;
  limits: readonly string[];
}

/** Facts of a model card. */
export interface CardFacts {
  experiment: Pick<PretrainRecipe, 'method' | 'settings' | 'batchSize'>;
  model: CardModel;
  words: CardWords;
  run: CardRun;
  metrics: readonly Metric[];
  /** Of the exported files, by name. */
  sha256: Record<string, string>;
  library: string;
  /** Python that loads the files. */
  loading: string;
}

/** How many parameters it has. */
const parametersOf = ({ fineTuned, model }: CardModel) => elementsOf((fineTuned?.model ?? model).parameters);

interface DataFacts {
  name: string;
  origin?: string;
  licence?: string;
  synthetic?: boolean;
  sha256?: string;
}

/** A model card, in Markdown (Mitchell et al., 2019; arXiv 1810.03993). */
export function modelCard({ run, experiment, model, words, metrics, sha256, library, loading }: CardFacts): string {
  const { backbone, view, fineTuned } = model;
  const { crop = 1 } = view;
  const { settings, batchSize, method } = experiment;
  const duration = settings.steps === undefined ? `${settings.epochs} epochs` : `${settings.steps} steps`;
  const first = Object.entries(words.firstWeights).map(([name, hash]) => `${name} (SHA-256 ${hash})`);
  const trainings = [{ ...run, supervised: method.supervised === true, run }, ...words.trainings];
  const data = dataOf(trainings);
  const limits = [
    'It is for research. It has not been validated for diagnosis, and must not be used for it.',
    ...(run.scale === 'paper' ? [] : [`It was trained at ${run.scale} scale, in minutes, as a demonstration only.`]),
    ...(data.some(({ synthetic }) => synthetic)
      ? ['It was trained on synthetic tissue and is of no use on real slides.']
      : []),
    'The model may perform worse on stains, scanners and organs that are not in its data; check sites before trusting a metric.',
    ...words.limits,
  ];
  return `---
tags: [${['histopathology', ...words.tags].join(', ')}]
library_name: ${library}
---

# ${words.title}

${words.about} ${parametersOf(model).toLocaleString('en')} parameters${fineTuned ? '' : ', without a classifier'}.
Architecture: ${backbone.source}.

## How to load it

\`\`\`python
${loading}
\`\`\`

Images are resized to ${view.size} x ${view.size} px${crop < 1 ? ` after the middle ${(100 * crop).toFixed(1)} % of their side is cut out` : ''}, scaled to 0 to 1, and normalized with mean [${view.colors.mean}] and standard deviation [${view.colors.std}], in the order red, green, blue.
${fineTuned ? `\n## Classes\n\n${fineTuned.classNames.map((name, place) => `- ${place}: ${name}`).join('\n')}\n` : ''}
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
    ...words.made,
    ['seed', run.seed],
    ['first weights', first.length === 0 ? 'random' : first.join(', ')],
    ['notebook', run.notebook],
    ['command', `\`${run.command}\``],
    ['run', run.runHash],
    ['commit', run.gitCommit ?? 'not known'],
    ['started, ended', `${run.started}, ${run.ended}`],
  ],
)}

## Trainings

What the weights went through, from the first training to this one.

${table(['', 'training', 'with labels', 'data', 'SHA-256 of the split', 'run'], trainingRows(trainings))}

## Data

${table(
  ['dataset', 'origin', 'licence', 'synthetic', 'SHA-256 of its index'],
  data.map(({ name, origin, licence, synthetic, sha256 }) => [
    ...[name, origin ?? '', licence ?? unknown],
    ...[synthetic === undefined ? '' : synthetic ? 'yes' : 'no', sha256 ?? ''],
  ]),
)}

${Object.entries(run.splits)
  .map(([name, hash]) => `Split of ${name}: SHA-256 ${hash}.`)
  .join('\n')}

## Metrics

${words.measured}

${table(
  ['number', 'value', '95 % interval', 'of what'],
  metrics.map(({ name, value, interval, unit = '', about = '' }) => [
    ...[
      name,
      `${Number(value.toPrecision(4))} ${unit}`.trim(),
      interval ? `${interval.map((end) => end.toFixed(2)).join(' to ')} ${unit}` : '',
    ],
    about,
  ]),
)}

## Licence

The weights follow from the data: ${data.map(({ name, licence }) => `${name}, ${licence ?? unknown}`).join('; ')}. What these allow is what may be done with the weights.

## Intended use

${words.use} Patches are to be of the magnification of the data above.

## Limits

${limits.map((limit) => `- ${limit}`).join('\n')}

## Files

${table(['file', 'SHA-256'], Object.entries(sha256))}
`;
}

const unknown = 'not known';

/** Each dataset once. */
function dataOf(trainings: readonly (PastTraining | null)[]): DataFacts[] {
  const all = trainings.flatMap(
    (past) => (past?.data ?? [{ name: 'data that are not known' }]) as unknown as DataFacts[],
  );
  return [...new Map(all.map((each) => [each.name, each])).values()];
}

const row = (cells: readonly unknown[]) =>
  `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`;
const table = (head: readonly string[], rows: readonly (readonly unknown[])[]) =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

/** From the first training on. */
function trainingRows(trainings: readonly (PastTraining | null)[]): unknown[][] {
  return [...trainings].reverse().map((past, place) => {
    if (!past) return [place + 1, unknown, unknown, unknown, '', ''];
    const { run, supervised, data, splits } = past;
    return [
      ...[place + 1, run ? `${run.notebook}, ${run.scale} scale` : 'published weights', supervised ? 'yes' : 'no'],
      ...[data.map(({ name }) => name).join(', '), Object.values(splits).join(', '), run?.runHash ?? ''],
    ];
  });
}
