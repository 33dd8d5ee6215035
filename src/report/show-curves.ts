import type { Key } from '../base/index.js';
import { classificationReport } from '../evaluate/index.js';
import { type ArmResults, armColors, referenceLine, unitAxis } from './arm-results.js';
import { showChart, type VegaLiteLayer, type VegaLiteSpec } from './chart.js';
import { type CurveKind, curveKinds } from './curve-kinds.js';
import { sayInstead } from './say-instead.js';
import { chartWidth } from './style.js';

export interface CurvesOptions {
  /** For the draws of the bands. */
  key: Key;
  resamples?: number;
  /** Classes that are shown, each against the rest: by default of two classes the second, else the four most frequent. */
  classes?: readonly string[];
  title?: string;
  /** Also writes the chart to this PNG file. */
  save?: string;
}

/** Panels that a page has room for. */
const maxClasses = 4;
/** Points of a line: more than it has pixels. */
const maxPoints = 400;

/**
 * Shows the ROC and the precision-recall curve of each arm, with their areas and with 95 % bands by bootstrap over patients (or
 * what stands for them). A class without cases, or without other ones, has no curve: that is said below.
 *
 * @throws RangeError for a class that there is not
 */
export async function showCurves(arms: ArmResults, { save, ...options }: CurvesOptions): Promise<void> {
  const { chart, absent } = curvesChart(arms, options);
  if (chart) await showChart(chart.spec, { alt: chart.alt, save });
  await sayInstead(...absent);
}

export function curvesChart(
  arms: ArmResults,
  { title = 'ROC and precision-recall', classes, ...options }: Omit<CurvesOptions, 'save'>,
): { chart?: { spec: VegaLiteSpec; alt: string }; absent: string[] } {
  const [cases] = Object.values(arms);
  if (!cases) return { absent: ['There are no results to draw curves of.'] };
  const { labels, patients, unit, classNames } = cases;
  const countOf = (name: string) => labels.filter((label) => classNames[label] === name).length;
  const mostFrequent = () => [...classNames].sort((one, other) => countOf(other) - countOf(one)).slice(0, maxClasses);
  const wanted = classes ?? (classNames.length === 2 ? classNames.slice(1) : mostFrequent());
  const unknown = wanted.find((name) => !classNames.includes(name));
  if (unknown !== undefined) throw new RangeError(`"${unknown}" is not one of the classes ${classNames.join(', ')}`);
  const isDrawn = (name: string) => countOf(name) > 0 && countOf(name) < labels.length;
  const absent = wanted
    .filter((name) => !isDrawn(name))
    .map((name) => `"${name}" has no curves: ${countOf(name)} of ${labels.length} cases are of that class.`);
  const drawn = wanted.filter(isDrawn);
  if (drawn.length === 0) return { absent };
  const titled = drawn.length > 1;
  const panelOptions = { ...options, titled, side: titled ? chartWidth / 2 - 50 : chartWidth - 70 };
  const panels = drawn.flatMap((name) => curveKinds.map((kind) => panelOf(arms, name, kind, panelOptions)));
  const bands = panels.every(({ banded }) => banded)
    ? `95 % bands over ${patients.length} ${unit}`
    : `${patients.length} ${unit}, too few for ${panels.some(({ banded }) => banded) ? 'all ' : ''}bands`;
  const rest = classNames.length === 2 ? '' : ' against the rest';
  const against = `${titled ? 'each class' : drawn[0]}${rest}`;
  const spec: VegaLiteSpec = {
    title: { text: title, subtitle: [against, `${bands}; dashed: chance`] },
    columns: titled ? 2 : 1,
    spacing: 16,
    concat: panels.map(({ panel }) => panel),
    resolve: { scale: { color: 'independent' } },
  };
  return { chart: { spec, alt: `${title}, ${bands}: ${panels.map(({ words }) => words).join('; ')}` }, absent };
}

function panelOf(
  arms: ArmResults,
  name: string,
  { area, axes, interpolate, chance, of }: CurveKind,
  { side, titled, ...options }: { side: number; titled: boolean; key: Key; resamples?: number },
) {
  const curves = Object.entries(arms).map(([arm, cases]) => {
    const label = cases.classNames.indexOf(name);
    const value = classificationReport(cases).classes[label]![area];
    return { arm, value, prevalence: shareOf(cases.labels, label), ...of(cases, label, options) };
  });
  const { labelOf, color } = armColors(
    Object.fromEntries(curves.map(({ arm, value }) => [arm, value])),
    area.toUpperCase(),
  );
  const [left, right] = chance(curves[0]!.prevalence);
  const [x, y] = [unitAxis('x', axes[0]), unitAxis('y', axes[1])];
  const values = curves.flatMap(({ arm, line, band }) => [
    ...thinned(line).map((point) => ({ arm: labelOf(arm), ...point })),
    ...(band ?? []).map((place) => ({ arm: labelOf(arm), ...place })),
  ]);
  const panel = {
    ...{ width: side, height: side, data: { values }, ...(titled && { title: { text: name, fontSize: 13 } }) },
    layer: [
      referenceLine([0, left], [1, right]),
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'area', opacity: 0.15, interpolate },
        encoding: { x, y: { ...y, field: 'low' }, y2: { field: 'high' }, color },
      },
      {
        transform: [{ filter: 'isValid(datum.y)' }],
        mark: { type: 'line', interpolate },
        encoding: { x, y, color },
      },
    ],
  } as VegaLiteLayer;
  const areas = curves.map(({ arm, value }) => `${arm} ${value!.toFixed(3)}`).join(', ');
  return { panel, words: `${area.toUpperCase()} of ${name}: ${areas}`, banded: curves.every(({ band }) => band) };
}

function shareOf(labels: Int32Array, label: number): number {
  return labels.filter((other) => other === label).length / labels.length;
}

/** Every so many of the points, and the last. */
function thinned<Point>(points: readonly Point[]): readonly Point[] {
  const step = Math.ceil(points.length / maxPoints);
  return points.filter((_, place) => place % step === 0 || place === points.length - 1);
}
