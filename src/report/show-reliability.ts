import { classificationReport, reliabilityCurve } from '../evaluate/index.js';
import { type ArmResults, armColors, referenceLine, unitAxis } from './arm-results.js';
import { showChart, type VegaLiteSpec } from './chart.js';
import { chartWidth } from './style.js';

export interface ReliabilityOptions {
  title?: string;
  /** Also writes the chart to this PNG file. */
  save?: string;
}

/**
 * Shows reliability diagrams (Guo et al., 2017; arXiv 1706.04599): the accuracy of the cases in bins of confidence, the
 * number of cases in each bin below, and the expected calibration error.
 */
export async function showReliability(arms: ArmResults, { save, ...options }: ReliabilityOptions = {}): Promise<void> {
  const { spec, alt } = reliabilityChart(arms, options);
  await showChart(spec, { alt, save });
}

export function reliabilityChart(
  arms: ArmResults,
  { title = 'Reliability' }: Pick<ReliabilityOptions, 'title'> = {},
): { spec: VegaLiteSpec; alt: string } {
  const names = Object.keys(arms);
  const errors = Object.fromEntries(
    names.map((name) => [name, classificationReport(arms[name]!).metrics.calibrationError.value]),
  );
  const { labelOf, color } = armColors(errors, 'expected calibration error');
  const values = names.flatMap((name, place) =>
    reliabilityCurve(arms[name]!).map((bin) => {
      // Bars of a bin stand side by side.
      const width = (bin.high - bin.low) / (names.length + 0.5);
      const left = bin.low + (place + 0.25) * width;
      return { arm: labelOf(name), ...bin, left, right: left + width };
    }),
  );
  const width = chartWidth - 60;
  const x = unitAxis('confidence', 'confidence');
  const spec: VegaLiteSpec = {
    title: { text: title, subtitle: 'right as often as confident on the dashed line' },
    data: { values },
    spacing: 10,
    vconcat: [
      {
        width,
        height: width,
        layer: [
          referenceLine([0, 0], [1, 1]),
          {
            mark: { type: 'line', point: { size: 40 } },
            encoding: {
              x: { ...x, title: null, axis: { ...x.axis, labels: false } },
              y: unitAxis('accuracy', 'accuracy'),
              color,
              tooltip: [{ field: 'arm' }, { field: 'cases' }, { field: 'accuracy', format: '.3f' }],
            },
          },
        ],
      },
      {
        width,
        height: 80,
        mark: { type: 'rect' },
        encoding: {
          x: unitAxis('left', 'confidence'),
          x2: { field: 'right' },
          y: { field: 'cases', type: 'quantitative', title: 'cases', axis: { tickCount: 3, format: '~s', grid: true } },
          y2: { datum: 0 },
          color,
        },
      },
    ],
  };
  const words = names.map((name) => {
    const bins = reliabilityCurve(arms[name]!);
    const most = bins.reduce((one, other) => (other.cases > one.cases ? other : one));
    const range = `${most.low.toFixed(2)} to ${most.high.toFixed(2)}`;
    return (
      `${name} ${errors[name]!.toFixed(3)}, ${arms[name]!.labels.length} cases in ${bins.length} bins, most of them ` +
      `(${most.cases}) at confidences ${range} with accuracy ${most.accuracy.toFixed(2)}`
    );
  });
  return { spec, alt: `${title}, expected calibration error: ${words.join('; ')}` };
}
