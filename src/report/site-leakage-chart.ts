import type { ClassGap, SiteLeakage } from '../evaluate/index.js';
import type { VegaLiteLayer, VegaLiteSpec } from './chart.js';
import { intervalChart, percent } from './charts.js';
import { faintInk, palette } from './style.js';

/** Accuracies from color only, above; below, the difference of the two rows of the class, with its own interval. */
export function siteLeakageChart(
  { questions, gap }: SiteLeakage,
  options: { subtitle?: string } = {},
): { spec: VegaLiteSpec; alt: string } {
  const title = 'Predicted from color only, by nearest neighbors';
  const shares = intervalChart(questions, { title, valueTitle: 'accuracy' });
  const { title: _, ...upper } = shares.spec;
  const x = {
    field: 'value',
    type: 'quantitative' as const,
    title: 'difference, percentage points',
    scale: { domain: domainOf(gap), nice: true },
    axis: { labelExpr: "datum.value === 0 ? '0' : format(datum.value, '+.0f')", tickCount: 8 },
  };
  const y = { field: 'name', type: 'nominal' as const, title: null, axis: { labelFontSize: 13, labelLimit: 260 } };
  const color = palette[3];
  const spec: VegaLiteSpec = {
    title: { text: title, ...(options.subtitle ? { subtitle: options.subtitle } : {}) },
    spacing: 26,
    vconcat: [
      upper as VegaLiteLayer,
      {
        width: 520,
        height: { step: 46 },
        data: {
          values: [
            {
              name: 'class: what the site adds',
              ...{ value: 100 * gap.value, low: 100 * gap.low, high: 100 * gap.high },
              ...{ label: points(gap.value), none: 0 },
            },
          ],
        },
        layer: [
          {
            mark: { type: 'rule', strokeDash: [5, 4], color: faintInk },
            encoding: { x: { ...x, field: 'none' } },
          },
          {
            mark: { type: 'rule', strokeWidth: 3, color },
            encoding: { y, x: { ...x, field: 'low' }, x2: { field: 'high' } },
          },
          { mark: { type: 'point', size: 130, opacity: 1, color }, encoding: { y, x } },
          {
            mark: { type: 'text', dy: -14, fontSize: 13, fontWeight: 600, color },
            encoding: { y, x, text: { field: 'label' } },
          },
        ],
      },
    ],
    resolve: { scale: { x: 'independent', y: 'independent', color: 'independent' } },
  };
  return { spec, alt: `${shares.alt}; what the site adds for the class ${points(gap.value)} ${interval(gap)}` };
}

/** What was compared and what follows from it, by the numbers. */
export function describeGap(gap: ClassGap): string {
  const { low, high, images, fromOtherPatients, fromOtherSites } = gap;
  const compared =
    `The class of the same ${images} patches is predicted twice. With neighbors from other patients, including its own ` +
    `site, the accuracy is ${percent(fromOtherPatients)}; with neighbors from other sites only, ` +
    `${percent(fromOtherSites)}. The difference is ${points(gap.value)} percentage points ${interval(gap)}.`;
  if (low > 0) {
    return `${compared} The interval lies above 0: color reveals the site, and the site helps to predict the class.`;
  }
  if (high < 0) return `${compared} The interval lies below 0: patches of the same site mislead.`;
  return `${compared} The interval includes 0: these patches do not show that the site helps to predict the class.`;
}

function interval({ low, high, level, method }: ClassGap): string {
  return `(${Math.round(100 * level)} % interval ${points(low)} to ${points(high)}; ${method})`;
}

/** Of 0, and of the interval with some room for its dot. */
function domainOf({ low, high }: ClassGap): [number, number] {
  const margin = 5;
  return [Math.min(0, 100 * low) - (low < 0 ? margin : 0), Math.max(0, 100 * high) + margin];
}

function points(share: number): string {
  return `${share < 0 ? '-' : '+'}${Math.abs(100 * share).toFixed(1)}`;
}
