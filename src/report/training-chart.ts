import type { MonitorPanel } from '../evaluate/index.js';
import type { VegaLiteLayer, VegaLiteSpec } from './chart.js';
import { percent } from './charts.js';
import { duration } from './progress.js';
import { downsampleTogether, type Point } from './series.js';
import { faintInk, palette } from './style.js';
import type { TrainingHistory } from './training-history.js';

export interface TrainingChartOptions {
  title: string;
  /** Total number of steps: the axis shows from the start how much is left. */
  totalSteps: number;
  /** From top to bottom. */
  panels: readonly MonitorPanel[];
}

const width = 620;
/** Of small panels: two and the axis of the second in a row. */
const small = { width: 282, height: 84, spacing: 56 };
/** Maximum of all lines together. */
const maxPoints = 2000;
/** Up to this number, points are also drawn as dots. */
const fewPoints = 30;

/**
 * Panels stacked over one axis of steps, and small ones below, two in a row. Small panels have one color, and no more than
 * one line each.
 *
 * @param isRunning shows speed and remaining time instead of the duration
 */
export function trainingChart(
  history: TrainingHistory,
  { title, totalSteps, panels }: TrainingChartOptions,
  isRunning = false,
): { spec: VegaLiteSpec; alt: string } {
  const names = [...new Set(panels.flatMap((panel) => panel.metrics))];
  const points = downsampleTogether(
    names.map((name) => history.metrics.get(name)?.points() ?? []),
    maxPoints,
  );
  const isSmall = (name: string) => panels.some((panel) => panel.small && panel.metrics.includes(name));
  const colorOf = (name: string, index: number) => (isSmall(name) ? faintInk : palette[index % palette.length]!);
  const lines = names.map((name, index) => ({ name, points: points[index]!, color: colorOf(name, index) }));
  const linesIn = (panel: MonitorPanel) => lines.filter(({ name }) => panel.metrics.includes(name));
  const state = describeState(history, totalSteps, isRunning);
  const large = panels.filter((panel) => !panel.small);
  const rows = pairs(panels.filter((panel) => panel.small));
  const spec: VegaLiteSpec = {
    title: { text: title, subtitle: state },
    spacing: 14,
    resolve: { scale: { color: 'independent' } },
    vconcat: [
      ...large.map((panel, index) => ({
        width,
        height: index === 0 ? 150 : 130,
        layer: [
          ...referenceLine(panel),
          drawnLines(panel, linesIn(panel), { title: index === large.length - 1 ? 'step' : null, totalSteps }),
        ],
      })),
      ...rows.map((row) => ({
        spacing: small.spacing,
        bounds: 'flush' as const,
        resolve: { scale: { color: 'independent' as const } },
        hconcat: row.map((panel) => ({
          title: { text: panel.title, fontSize: 13, offset: 4, frame: 'group' as const },
          width: small.width,
          height: small.height,
          layer: [drawnLines(panel, linesIn(panel), { title: null, totalSteps })],
        })),
      })),
    ],
  };
  const words = panels.flatMap((panel) => linesIn(panel).flatMap((line) => describeChange(panel, line)));
  return { spec, alt: [`${title}: ${state}`, ...words].join('; ') };
}

function pairs<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / 2) }, (_, row) => items.slice(2 * row, 2 * row + 2));
}

interface Line {
  name: string;
  points: readonly Point[];
  color: string;
}

function drawnLines(
  panel: MonitorPanel,
  lines: readonly Line[],
  { title, totalSteps }: { title: string | null; totalSteps: number },
): VegaLiteLayer {
  return {
    data: { values: lines.flatMap(({ name, points }) => points.map((point) => ({ metric: name, ...point }))) },
    mark: { type: 'line', point: lines.every(({ points }) => points.length <= fewPoints) },
    encoding: {
      x: {
        field: 'step',
        type: 'quantitative',
        title,
        scale: { domain: [0, totalSteps], nice: false },
        axis: { tickMinStep: 1, tickCount: panel.small ? 4 : 8, format: ',d' },
      },
      y: {
        field: 'value',
        type: 'quantitative',
        title: panel.small ? null : panel.title,
        scale: panel.domain ? { domain: [...panel.domain] } : { zero: false },
        axis: {
          grid: true,
          tickCount: panel.small ? 3 : 5,
          minExtent: panel.small ? 38 : 34,
          ...((panel.format ?? panel.small) && { format: panel.format ?? '.5~g' }),
        },
      },
      color: {
        field: 'metric',
        type: 'nominal',
        scale: { domain: lines.map(({ name }) => name), range: lines.map(({ color }) => color) },
        title: null,
        legend: lines.length > 1 ? { orient: 'top', offset: 6 } : null,
      },
    },
  };
}

/** Its label is beside the panel, clear of the lines. */
function referenceLine({ reference }: MonitorPanel): VegaLiteLayer[] {
  if (!reference) return [];
  const data = { values: [{}] };
  const y = { datum: reference.value, type: 'quantitative' as const };
  return [
    { data, mark: { type: 'rule', strokeDash: [5, 4], color: faintInk }, encoding: { y } },
    {
      data,
      mark: { type: 'text', align: 'left', baseline: 'middle', text: reference.label, color: faintInk, fontSize: 12 },
      encoding: { y, x: { value: width + 6 } },
    },
  ];
}

function describeState(history: TrainingHistory, totalSteps: number, isRunning: boolean): string {
  const { step, seconds, watchedSeconds, stepsPerSecond } = history;
  if (!isRunning) {
    const watching = watchedSeconds > 0 ? `, of which evaluations took ${percent(watchedSeconds / seconds)}` : '';
    return `${stepsOf(step, totalSteps)}, ${duration(seconds)}${watching}`;
  }
  const pace = stepsPerSecond
    ? [`${shortNumber(stepsPerSecond)} steps a second`, `${duration((totalSteps - step) / stepsPerSecond)} left`]
    : [];
  return [`step ${count(step)} of ${count(totalSteps)}`, ...pace].join(', ');
}

function stepsOf(step: number, totalSteps: number): string {
  return step === totalSteps ? `${count(step)} steps` : `${count(step)} of ${count(totalSteps)} steps`;
}

function describeChange({ title, metrics, format }: MonitorPanel, { name, points }: Line): string[] {
  const [first, last] = [points.at(0), points.at(-1)];
  if (!first || !last) return [];
  const shown = (value: number) => (format?.endsWith('%') ? percent(value) : shortNumber(value));
  return [`${metrics.length > 1 ? name : title} ${shown(first.value)} → ${shown(last.value)}`];
}

const count = (steps: number) => steps.toLocaleString('en-US');
/** Three digits, or all of a larger whole number. */
const shortNumber = (value: number) => (Math.abs(value) >= 100 ? count(Math.round(value)) : value.toPrecision(3));
