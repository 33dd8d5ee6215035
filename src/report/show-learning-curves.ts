import { armColors } from './arm-results.js';
import { showChart, type VegaLiteSpec } from './chart.js';
import { sayInstead } from './say-instead.js';
import { chartWidth, faintInk } from './style.js';

/** A metric of classifiers that learned from as many labels. */
export interface LearningPoint {
  /** Labels a class. */
  shots: number;
  /** Of each draw. */
  values: readonly number[];
}

export interface LearningCurvesOptions {
  /** What the values are, such as `balanced accuracy`. */
  metric: string;
  /** What guessing gives, drawn as a line. */
  chance?: number;
  title?: string;
  /** Also writes the chart to this PNG file. */
  save?: string;
}

/** Shows a metric over the number of labels, on a log axis: a line for each arm, with the least and the greatest draw. */
export async function showLearningCurves(
  arms: Readonly<Record<string, readonly LearningPoint[]>>,
  { save, ...options }: LearningCurvesOptions,
): Promise<void> {
  if (Object.values(arms).every((points) => points.length === 0)) return sayInstead('There are no learning curves.');
  const { spec, alt } = learningCurvesChart(arms, options);
  await showChart(spec, { alt, save });
}

/** @throws RangeError for values that are not numbers */
export function learningCurvesChart(
  arms: Readonly<Record<string, readonly LearningPoint[]>>,
  { metric, chance, title = 'Learning curves' }: Omit<LearningCurvesOptions, 'save'>,
): { spec: VegaLiteSpec; alt: string } {
  const points = Object.entries(arms).flatMap(([arm, of]) =>
    of.map(({ shots, values }) => {
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      if (!(shots > 0 && Number.isFinite(mean))) {
        throw new RangeError(
          `${arm} with ${shots} labels a class: the values are numbers, one of each draw; got [${values}]`,
        );
      }
      return { arm, shots, mean, low: Math.min(...values), high: Math.max(...values), draws: values.length };
    }),
  );
  const most = Math.max(...points.map(({ shots }) => shots));
  const last = Object.fromEntries(
    Object.keys(arms).map((arm) => [
      arm,
      points.find((point) => point.arm === arm && point.shots === most)?.mean ?? null,
    ]),
  );
  const { labelOf, color } = armColors(last, `with ${most} labels a class`);
  const shots = [...new Set(points.map((point) => point.shots))].sort((one, other) => one - other);
  const draws = [...new Set(points.map((point) => point.draws))].sort((one, other) => one - other);
  const drawn = `${draws[0]}${draws.length > 1 ? ` to ${draws.at(-1)}` : ''} draw${draws.at(-1) === 1 ? '' : 's'}`;
  const x = {
    field: 'shots',
    type: 'quantitative' as const,
    title: 'labels a class',
    scale: { type: 'log' as const, domain: [shots[0]!, most], nice: false, padding: 12 },
    axis: { values: shots, format: 'd', grid: false },
  };
  const y = {
    field: 'mean',
    type: 'quantitative' as const,
    title: metric,
    scale: { zero: false },
    axis: { tickCount: 5 },
  };
  const spec: VegaLiteSpec = {
    title: {
      text: title,
      subtitle: [
        `mean of ${drawn}; bars from the least to the greatest`,
        ...(chance === undefined ? [] : ['dashed: guessing']),
      ],
    },
    width: chartWidth - 60,
    height: 260,
    data: { values: points.map((point) => ({ ...point, arm: labelOf(point.arm) })) },
    layer: [
      ...(chance === undefined
        ? []
        : [
            {
              mark: { type: 'rule' as const, strokeDash: [5, 4], color: faintInk },
              encoding: { y: { datum: chance, type: 'quantitative' as const } },
            },
          ]),
      {
        mark: { type: 'rule', strokeWidth: 1.5, opacity: 0.6 },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      { mark: { type: 'line', point: { size: 45 } }, encoding: { x, y, color } },
    ],
  };
  const words = Object.keys(arms).map((arm) => {
    const of = points.filter((point) => point.arm === arm);
    const each = of.map(({ shots, mean, low, high }) => `${shots}: ${three(mean)} (${three(low)} to ${three(high)})`);
    return `${arm} ${each.join(', ')}`;
  });
  const guessing = chance === undefined ? '' : `; guessing ${three(chance)}`;
  return { spec, alt: `${title}, ${metric} by labels a class, ${drawn}: ${words.join('; ')}${guessing}` };
}

const three = (value: number) => value.toFixed(3);
