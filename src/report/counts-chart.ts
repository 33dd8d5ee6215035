import type { VegaLiteSpec } from './chart.js';
import { palette } from './style.js';

/** The number of patches of each name: one bar each, in order. */
export function countsChart(
  counts: readonly (readonly [name: string, count: number])[],
  options: { title: string; subtitle?: string; of: string },
): { spec: VegaLiteSpec; alt: string } {
  const values = counts.map(([name, patches]) => ({ name, patches }));
  const y = { field: 'name', type: 'nominal' as const, sort: null, title: null, axis: { labelLimit: 240 } };
  const x = {
    field: 'patches',
    type: 'quantitative' as const,
    title: options.of,
    axis: { tickMinStep: 1, format: ',d' },
  };
  const spec: VegaLiteSpec = {
    title: { text: options.title, ...(options.subtitle ? { subtitle: options.subtitle } : {}) },
    width: 480,
    height: { step: 20 },
    data: { values },
    layer: [
      { mark: { type: 'bar', color: palette[0] }, encoding: { x, y } },
      { mark: { type: 'text', align: 'left', dx: 4 }, encoding: { x, y, text: { field: 'patches', format: ',d' } } },
    ],
  };
  const words = values.map(({ name, patches }) => `${name} ${patches}`).join(', ');
  return { spec, alt: `${options.title}, ${options.of}: ${words}` };
}
