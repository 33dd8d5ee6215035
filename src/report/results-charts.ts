import { from } from 'arquero';
import {
  type ComparedGroup,
  type PaperNumber,
  paperNumbers,
  paperNumbersOf,
  resultTasks,
} from '../experiments/index.js';
import { showChart, type VegaLiteSpec } from './chart.js';
import { armValue, headingOf, inRowOrder, networkOf, taskOf } from './results-cells.js';
import { hasPapersMetric } from './results-paper.js';
import { sayInstead } from './say-instead.js';
import { chartWidth, palette } from './style.js';

interface Point {
  arm: string;
  /** `paper` or `here`. */
  source: string;
  value: number;
  low?: number;
  high?: number;
}

/** A panel for each column, with the paper's numbers of its task, network and metric as open diamonds; without columns, the paper's alone. */
export function resultsChart(compared: readonly ComparedGroup[]): { spec: VegaLiteSpec; alt: string } {
  const panels =
    compared.length > 0
      ? compared.map(panelOf)
      : [...new Set(paperNumbers.map(({ notebook }) => notebook))].map(paperPanel);
  const spec: VegaLiteSpec = {
    title: {
      text: 'What pretraining buys',
      subtitle: [
        'dots: here, with 95 % intervals over test patients',
        'open diamonds: the paper with the same network, at paper scale, on its data',
      ],
    },
    spacing: 26,
    vconcat: panels.map(({ title, about, points }) => ({
      title: { text: title, subtitle: about, fontSize: 13, offset: 6 },
      width: chartWidth - 110,
      height: { step: 24 },
      data: { values: points },
      encoding: { y: { field: 'arm', type: 'nominal', sort: null, title: null, axis: { labelLimit: 150 } } },
      layer: [
        {
          transform: [{ filter: 'isValid(datum.low)' }],
          mark: { type: 'rule', strokeWidth: 3, color: palette[0] },
          encoding: { x: { field: 'low', type: 'quantitative' }, x2: { field: 'high' } },
        },
        {
          mark: { type: 'point', opacity: 1, strokeWidth: 2 },
          encoding: {
            x: {
              field: 'value',
              type: 'quantitative',
              title: '%',
              scale: { domain: [0, 100] },
              axis: { tickCount: 5 },
            },
            shape: bySource('circle', 'diamond'),
            stroke: bySource(palette[0], palette[1]),
            fill: bySource(palette[0], '#ffffff'),
          },
        },
      ],
    })),
  };
  const words = panels.map(({ title, about, points }) => `${title}, ${about}: ${points.map(wordsOf).join(', ')}`);
  return { spec, alt: `What pretraining buys. ${words.join('; ')}` };
}

const bySource = (here: string, paper: string) => ({
  field: 'source',
  type: 'nominal' as const,
  legend: null,
  scale: { domain: ['here', 'paper'], range: [here, paper] },
});

function wordsOf({ arm, source, value, low, high }: Point): string {
  const range = low === undefined ? '' : ` (${low.toFixed(1)} to ${high!.toFixed(1)})`;
  return `${arm} ${source === 'paper' ? 'in the paper ' : ''}${value.toFixed(1)}${range}`;
}

/** A part of the chart. */
interface Panel {
  title: string;
  about: string;
  points: Point[];
}

function panelOf(column: ComparedGroup): Panel {
  const { group } = column;
  const { main } = group.experiment.task;
  const labels = group.cases.labelled < group.cases.available ? `, ${group.cases.labelled} labelled` : '';
  const own = inRowOrder(Object.keys(group.arms)).flatMap((arm): Point[] => {
    const found = armValue(column, arm, main);
    if (!found || found.value.value === null) return [];
    const interval = found.interval && { low: 100 * found.interval.low, high: 100 * found.interval.high };
    return [{ arm, source: 'here', value: 100 * found.value.value, ...interval }];
  });
  const paper = hasPapersMetric(group) ? paperPoints(paperNumbersOf(group)) : [];
  return { title: taskOf(group), about: `${networkOf(group)}${labels}`, points: [...own, ...paper] };
}

/** Of the network that the paper reports first. */
function paperPanel(notebook: string): Panel {
  const own = paperNumbers.filter((each) => each.notebook === notebook);
  const { network, metric } = own[0]!;
  const points = paperPoints(own.filter((each) => each.network === network));
  return { title: `${resultTasks[notebook]}, ${metric} %`, about: `the paper, ${network}`, points };
}

const paperPoints = (numbers: readonly PaperNumber[]): Point[] =>
  numbers.map(({ pretraining: arm, value }) => ({ arm, source: 'paper', value }));

/** Shows the main metric over the number of labelled patients, of columns that differ in it only. */
export async function showLabelCurves(
  compared: readonly ComparedGroup[],
  { save }: { save?: string } = {},
): Promise<void> {
  const families = [...new Set(compared.map(({ group }) => group.curve))]
    .map((curve) => compared.filter(({ group }) => group.curve === curve))
    .filter((columns) => columns.length > 1);
  if (families.length === 0) {
    return sayInstead('No two columns differ in the number of labels only (-p labels N), so there are no curves.');
  }
  const { spec, alt } = labelCurvesChart(families);
  await showChart(spec, { alt, save });
}

export function labelCurvesChart(families: readonly (readonly ComparedGroup[])[]): { spec: VegaLiteSpec; alt: string } {
  const panels = families.map((columns) => {
    const { group } = columns[0]!;
    const { main } = group.experiment.task;
    const rows = columns.flatMap((column) =>
      Object.keys(column.group.arms).map((arm) => {
        const { value, interval } = armValue(column, arm, main)!;
        return {
          arm,
          labels: column.group.cases.labelled,
          value: value.value,
          low: interval?.low,
          high: interval?.high,
        };
      }),
    );
    const values = from(rows)
      .filter((row: { value: number | null }) => row.value !== null)
      .orderby('arm', 'labels')
      .objects() as typeof rows;
    return { group, values };
  });
  const spec: VegaLiteSpec = {
    title: {
      text: 'Fine-tuned on few labels',
      subtitle: 'means over trainings, with 95 % intervals over test patients',
    },
    spacing: 26,
    vconcat: panels.map(({ group, values }) => {
      const x = {
        field: 'labels',
        type: 'quantitative' as const,
        title: `labelled ${group.cases.unit}`,
        scale: { type: 'log' as const, nice: false, padding: 12 },
        axis: { values: [...new Set(values.map(({ labels }) => labels))], format: 'd', grid: false },
      };
      const arms = inRowOrder([...new Set(values.map(({ arm }) => arm))]);
      const color = {
        field: 'arm',
        type: 'nominal' as const,
        title: null,
        scale: { domain: arms, range: arms.map((_, place) => palette[place % palette.length]!) },
        legend: { orient: 'bottom' as const, columns: 2, symbolOpacity: 1 },
      };
      return {
        title: { text: taskOf(group), fontSize: 13, offset: 6 },
        width: chartWidth - 60,
        height: 220,
        data: {
          values: values.map(({ value, low, high, ...row }) => ({
            ...row,
            value: 100 * value!,
            ...(low !== undefined && { low: 100 * low, high: 100 * high! }),
          })),
        },
        encoding: { x, color },
        layer: [
          {
            transform: [{ filter: 'isValid(datum.low)' }],
            mark: { type: 'errorband' as const, opacity: 0.12 },
            encoding: {
              y: { field: 'low', type: 'quantitative' as const, scale: { zero: false }, title: '%' },
              y2: { field: 'high' },
            },
          },
          {
            mark: { type: 'line' as const, point: { size: 45 } },
            encoding: { y: { field: 'value', type: 'quantitative' as const } },
          },
        ],
      };
    }),
    resolve: { scale: { color: 'independent' } },
  };
  const words = panels.map(
    ({ group, values }) =>
      `${headingOf(group)}: ${values.map(({ arm, labels, value }) => `${arm} ${(100 * value!).toFixed(1)} with ${labels}`).join(', ')}`,
  );
  return { spec, alt: `Fine-tuned on few labels. ${words.join('; ')}` };
}
