import type { VegaLiteLayer, VegaLiteSpec } from './chart.js';
import { faintInk, palette } from './style.js';

/** `41.3 %` for 0.413. */
export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export interface IntervalRow {
  name: string;
  /** Estimate and interval, 0 to 1; without an interval only the dot is drawn. */
  value: number;
  low?: number;
  high?: number;
  /** Chance level of this row, if it differs between rows: drawn as a tick. */
  chance?: number;
}

/** One line a row: a dot for the estimate, a bar for its interval. */
export function intervalChart(
  rows: readonly IntervalRow[],
  options: { title: string; subtitle?: string; valueTitle: string; chance?: number },
): { spec: VegaLiteSpec; alt: string } {
  const y = {
    field: 'name',
    type: 'nominal' as const,
    title: null,
    sort: null,
    axis: { labelFontSize: 13, labelLimit: 260 },
  };
  const color = { field: 'name', type: 'nominal' as const, legend: null, sort: null };
  const x = {
    field: 'value',
    type: 'quantitative' as const,
    title: options.valueTitle,
    scale: { domain: [0, 1] },
    axis: { format: '.0%' },
  };
  const chanceLine: VegaLiteLayer[] =
    options.chance === undefined
      ? []
      : [
          {
            data: { values: [{ chance: options.chance }] },
            mark: { type: 'rule', strokeDash: [5, 4], color: faintInk },
            encoding: { x: { field: 'chance', type: 'quantitative' } },
          },
          {
            data: { values: [{ chance: options.chance }] },
            // Above the panel, where no number can be.
            mark: { type: 'text', text: 'chance', baseline: 'bottom', y: -3, color: faintInk },
            encoding: { x: { field: 'chance', type: 'quantitative' } },
          },
        ];
  const chanceTicks: VegaLiteLayer[] = rows.every((row) => row.chance === undefined)
    ? []
    : [
        {
          transform: [{ filter: 'isValid(datum.chance)' }],
          mark: { type: 'tick', thickness: 2, size: 16, color: faintInk },
          encoding: { y, x: { ...x, field: 'chance' } },
        },
        {
          transform: [{ filter: 'isValid(datum.chance)' }],
          mark: { type: 'text', text: 'chance', baseline: 'top', dy: 9, fontSize: 11, color: faintInk },
          encoding: { y, x: { ...x, field: 'chance' } },
        },
      ];
  const spec: VegaLiteSpec = {
    title: { text: options.title, ...(options.subtitle && { subtitle: options.subtitle }), offset: 22 },
    width: 520,
    height: { step: 46 },
    data: { values: rows.map((row) => ({ ...row, label: percent(row.value) })) },
    layer: [
      ...chanceLine,
      ...chanceTicks,
      {
        transform: [{ filter: 'isValid(datum.low)' }],
        mark: { type: 'rule', strokeWidth: 3 },
        encoding: { y, color, x: { ...x, field: 'low' }, x2: { field: 'high' } },
      },
      { mark: { type: 'point', size: 130, opacity: 1 }, encoding: { y, color, x } },
      {
        mark: { type: 'text', dy: -14, fontSize: 13, fontWeight: 600 },
        encoding: { y, color, x, text: { field: 'label' } },
      },
    ],
  };
  const chanceOf = (row: IntervalRow) => (row.chance === undefined ? '' : `, chance ${percent(row.chance)}`);
  const range = ({ low, high }: IntervalRow) =>
    low === undefined || high === undefined ? 'no interval' : `${percent(low)} to ${percent(high)}`;
  const words = rows.map((row) => `${row.name} ${percent(row.value)} (${range(row)}${chanceOf(row)})`);
  const chance = options.chance === undefined ? '' : `; chance ${percent(options.chance)}`;
  return { spec, alt: `${options.title}: ${words.join('; ')}${chance}` };
}

export interface EmbeddingRow {
  x: number;
  y: number;
  kind: string;
  slide: string;
}

/** One for each color of the palette; the last is a pentagon. */
const shapes = [
  'circle',
  'square',
  'triangle-up',
  'diamond',
  'triangle-down',
  'triangle-right',
  'triangle-left',
  'M0,-1L0.95,-0.31L0.59,0.81L-0.59,0.81L-0.95,-0.31Z',
];

/**
 * A map of embedded patches, colored and marked by kind.
 *
 * @param options.emphasis names a kind that is drawn larger, on top
 * @param options.beside another map: it is smaller, with its kinds below
 */
export function embeddingChart(
  rows: readonly EmbeddingRow[],
  options: { title: string; subtitle?: string; emphasis?: string; beside?: boolean },
) {
  const kinds = [...new Set(rows.map((row) => row.kind))].sort().filter((kind) => kind !== options.emphasis);
  if (kinds.length > palette.length) {
    throw new RangeError(`an embedding chart can show ${palette.length} kinds; got ${kinds.length}`);
  }
  const emphasized = rows.some((row) => row.kind === options.emphasis);
  const domain = emphasized ? [...kinds, options.emphasis!] : kinds;
  const colors = domain.map((_, index) => (index < kinds.length ? palette[index]! : '#000000'));
  const marks = domain.map((_, index) => (index < kinds.length ? shapes[index]! : 'cross'));
  const position = (field: string) => ({
    field,
    type: 'quantitative' as const,
    axis: null,
    scale: { zero: false, padding: 12 },
  });
  const { title, subtitle, beside } = options;
  const spec = {
    title: { text: title, ...(subtitle ? { subtitle } : {}), ...(beside ? { fontSize: 14 } : {}) },
    ...(beside ? { width: 300, height: 280 } : { width: 520, height: 400 }),
    view: { stroke: '#d5dae0' },
    data: { values: [...rows].sort((one, other) => domain.indexOf(one.kind) - domain.indexOf(other.kind)) },
    mark: { type: 'point' as const, filled: true, opacity: 0.8 },
    encoding: {
      x: position('x'),
      y: position('y'),
      color: {
        field: 'kind',
        type: 'nominal' as const,
        scale: { domain, range: colors },
        title: null,
        legend: { symbolSize: 90, ...(beside ? { orient: 'bottom' as const, columns: 2 } : {}) },
      },
      shape: { field: 'kind', type: 'nominal' as const, scale: { domain, range: marks }, title: null },
      size: { condition: { test: { field: 'kind', equal: options.emphasis ?? '' }, value: 90 }, value: 45 },
      tooltip: [{ field: 'kind' }, { field: 'slide' }],
    },
  };
  const counts = domain.map((kind) => `${kind} ${rows.filter((row) => row.kind === kind).length}`);
  return { spec, alt: `${title}: map of ${rows.length} patches (${counts.join(', ')})` };
}
