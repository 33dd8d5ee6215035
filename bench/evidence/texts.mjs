import { family } from './plan.mjs';

export const networkNames = {
  small_resnet: 'small ResNet',
  small_vit: 'small ViT',
  efficientnet_lite0: 'EfficientNet-Lite0',
};
export const metricNames = {
  balancedAccuracy: 'balanced accuracy',
  auroc: 'AUROC',
  foregroundDice: 'Dice without background',
};

/** With fewer, bootstrap intervals are too narrow. */
const manyUnits = 20;

/**
 * What must be said beside the numbers.
 *
 * @param {{set: object, testUnits: number}[]} measured
 */
export function notesOf(measured) {
  const of = measured.map(({ set, testUnits }) => `${testUnits} ${set.column}s of ${set.name}`);
  const few = measured.filter(({ testUnits }) => testUnits < manyUnits).map(({ set }) => set.name);
  const has = (name) => measured.some(({ set }) => set.name === name);
  return [
    'A value is the mean over five fine-tunings, each with the labels of other patients (groups, tiles) and another seed, from ' +
      'one pretraining.',
    `Intervals (95 %, percentile bootstrap) are over the test units: ${of.join(', ')}; differences are on the same ones. They ` +
      'hold for these very weights, draws of labels and seeds: what another pretraining or other labels would change is not ' +
      'in them. So a difference speaks of these weights, not of the method.',
    ...(few.length > 0 ? [`Over fewer than ${manyUnits} units they are too narrow: ${few.join(', ')}.`] : []),
    `Tested are ${family.length} comparisons that were named before any was run, by a sign-flip test over the test units, ` +
      `adjusted by Holm over all ${family.length}; those not measured count as p = 1. All other differences are secondary and ` +
      'have no p-value.',
    'All arms of a network and number of labels have the same patients, steps, batches and learning rate. No rate was tuned on ' +
      'these sets. "4 x steps" is the same from random weights with four times as many.',
    ...(has('lung-lc25000')
      ? [
          'lung-lc25000: a group is a source image, of which the set has altered copies. Which groups are of one patient is not ' +
            'published, so a patient may be on both sides, and its intervals may be too narrow.',
        ]
      : []),
    ...(has('nuclei-consep') ? ['nuclei-consep: tiles of one slide may be on both sides.'] : []),
    ...(has('colon-glands')
      ? ['colon-glands, of 15 patients in all, is not among the comparisons that are tested: it has intervals only.']
      : []),
    ...(measured.some(({ set }) => set.metric === 'foregroundDice')
      ? ['Segmentation is learned and judged at half the resolution of the images.']
      : []),
  ];
}

const decimals = (value) => value.toFixed(3).replace(/^-(?=0\.000$)/, '');
/** A value with its interval, with a sign for differences. */
export function estimate({ value, low, high }, sign = '') {
  if (value === null || value === undefined) return '–';
  const shown = (number) => `${number > 0 ? sign : ''}${decimals(number)}`.replace('-', '−');
  return low === null ? shown(value) : `${shown(value)} (${shown(low)} to ${shown(high)})`;
}

const table = (headings, rows) =>
  [headings, headings.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

/**
 * The results as Markdown.
 *
 * @param {{set: object, testUnits: number, values: object[], differences: object[], pretrainings: object[]}[]} measured
 * @param {object[]} primary the adjusted family
 * @param {string} command
 */
export function resultsText(measured, primary, command) {
  const sections = measured.flatMap((one) => [
    `## ${one.set.title} (${one.set.name})`,
    ...[one.set.metric, ...(one.set.alsoShown ?? [])].flatMap((metric) => [
      `${metricNames[metric]}, by the number of labelled ${one.set.column}s:`,
      valueTable(one, metric),
    ]),
    `Differences in ${metricNames[one.set.metric]} (intervals only; those named beforehand are tested above):`,
    differenceTable(one),
  ]);
  return `${[
    '# Evidence on real patches',
    `Written by \`${command}\`. All numbers are in evidence.json.`,
    ...notesOf(measured),
    '## Comparisons named beforehand',
    primaryTable(primary),
    ...sections,
  ].join('\n\n')}\n`;
}

function primaryTable(primary) {
  const headings = [
    'set',
    'labels',
    'network',
    'comparison',
    'difference',
    'p',
    `adjusted p (Holm over ${family.length})`,
  ];
  return table(
    headings,
    primary.map(({ set, labels, backbone, arm, against, isMeasured, p, adjustedP, ...difference }) => [
      ...[set, labels, networkNames[backbone], `${arm} minus ${against}`],
      ...(isMeasured ? [estimate(difference, '+'), pValue(p)] : ['not measured', 'counts as 1']),
      pValue(adjustedP),
    ]),
  );
}

const pValue = (p) => (p === null || p === undefined ? '–' : p < 0.001 ? '< .001' : p.toFixed(3));

function valueTable({ values, pretrainings }, metric) {
  const own = values.filter((row) => row.metric === metric);
  const counts = countsOf(own);
  return table(
    ['network', 'from', 'pretraining', ...counts],
    armsOf(own).map(({ backbone, arm }) => {
      const cost = pretrainings.find((each) => each.backbone === backbone && each.arm === arm);
      return [
        networkNames[backbone] ?? 'none',
        arm,
        cost ? `${Math.round(cost.seconds)} s` : '–',
        ...cellsOf(own, counts, { backbone, arm }),
      ];
    }),
  );
}

function differenceTable({ differences }) {
  const counts = countsOf(differences);
  return table(
    ['network', 'difference', ...counts],
    armsOf(differences).map(({ backbone, arm, against }) => [
      ...[networkNames[backbone], `${arm} minus ${against}`],
      ...cellsOf(differences, counts, { backbone, arm, against }, '+'),
    ]),
  );
}

const countsOf = (rows) => [...new Set(rows.map(({ labels }) => labels))].sort((one, other) => one - other);

function armsOf(rows) {
  const key = ({ backbone, arm, against }) => JSON.stringify([backbone, arm, against]);
  return [...new Map(rows.map((row) => [key(row), row])).values()];
}

const cellsOf = (rows, counts, of, sign) =>
  counts.map((labels) =>
    estimate(
      rows.find((row) => row.labels === labels && Object.entries(of).every(([part, value]) => row[part] === value)) ?? {
        value: null,
      },
      sign,
    ),
  );
