import { drawChart } from '../../dist/report/index.js';
import { ink, palette } from '../../dist/report/style.js';
import { metricNames, networkNames } from './texts.mjs';

const [blue, orange, green, pink, sky, amber, gray, violet] = palette;
/** Color of each arm, in the order of the legend; what is not pretrained is gray or black. */
const arms = {
  random: { color: gray },
  'random, 4 x steps': { color: ink, shape: 'triangle-up' },
  'color histogram': { color: ink, dash: [4, 3] },
  ImageNet: { color: amber },
  SimCLR: { color: blue },
  'MoCo v2': { color: orange },
  BYOL: { color: green },
  DINO: { color: pink },
  MAE: { color: sky },
  'ImageNet, then SimCLR': { color: violet },
};

/**
 * Learning curves: a row for each set, a panel for each network, a line for each arm.
 *
 * @param {{set: object, testUnits: number, values: object[]}[]} measured
 * @returns {Promise<Buffer>} a PNG
 */
export async function learningCurves(measured) {
  const present = Object.keys(arms).filter((arm) =>
    measured.some(({ values }) => values.some((each) => each.arm === arm)),
  );
  const { png } = await drawChart({
    title: {
      text: 'Fine-tuned on few labels',
      subtitle: [
        'mean of five draws of labels; bands are 95 % intervals over the test units alone,',
        'with these very weights and draws',
      ],
      offset: 18,
    },
    spacing: 34,
    vconcat: measured.map((one) => ({
      title: { text: `${one.set.title}, ${one.testUnits} test ${one.set.column}s`, fontSize: 13, anchor: 'start' },
      spacing: 24,
      hconcat: Object.keys(networkNames).map((backbone, place) =>
        panelOf(one, { backbone, present, isFirst: place === 0 }),
      ),
    })),
    resolve: { scale: { color: 'shared', shape: 'shared', strokeDash: 'shared' } },
  });
  return png;
}

function panelOf({ set, values }, { backbone, present, isFirst }) {
  const all = values.filter(({ metric }) => metric === set.metric);
  // A set's panels have one scale; color alone has no network, and stands in each.
  const own = all.filter((row) => row.backbone === backbone || row.backbone === null);
  const rows = own.map((row) => ({ ...row, isAlone: own.filter(({ arm }) => arm === row.arm).length === 1 }));
  const ends = all.flatMap(({ value, low, high }) => [value, low ?? value, high ?? value]);
  const counts = [...new Set(all.map(({ labels }) => labels))].sort((one, other) => one - other);
  const ofArm = (part, other) => ({
    ...{ field: 'arm', type: 'nominal', title: null, legend: { symbolOpacity: 1 } },
    scale: { domain: present, range: present.map((arm) => arms[arm][part] ?? other) },
  });
  const y = {
    field: 'value',
    type: 'quantitative',
    title: isFirst ? metricNames[set.metric] : null,
    scale: { domain: [Math.min(...ends), Math.max(...ends)], zero: false, nice: true },
    axis: { format: '.2f', tickCount: 5 },
  };
  return {
    ...{ width: 210, height: 160, data: { values: rows } },
    title: { text: networkNames[backbone], fontSize: 12, fontWeight: 'normal' },
    encoding: {
      x: {
        ...{ field: 'labels', type: 'quantitative', title: `labelled ${set.column}s` },
        scale: { type: 'log', nice: false, padding: 12, domain: [counts[0], counts.at(-1)] },
        axis: { format: 'd', grid: false, values: counts },
      },
      color: ofArm('color'),
    },
    layer: [
      {
        mark: { type: 'errorband', opacity: 0.1 },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
      // A band has no width at a single number of labels.
      {
        transform: [{ filter: 'datum.isAlone' }],
        mark: { type: 'rule' },
        encoding: { y: { ...y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        mark: { type: 'line' },
        encoding: { y, strokeDash: ofArm('dash', [1, 0]) },
      },
      {
        mark: { type: 'point', filled: true, size: 34, opacity: 1 },
        encoding: { y, shape: ofArm('shape', 'circle') },
      },
    ],
  };
}
