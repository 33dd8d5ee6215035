import {
  type BandOptions,
  type ClassifiedCases,
  precisionRecallBand,
  precisionRecallCurve,
  rocBand,
  rocCurve,
} from '../evaluate/index.js';

/** A curve of a class against the rest, and its band by bootstrap over patients, if there is one. */
export interface BandedCurve {
  line: { x: number; y: number }[];
  band: { x: number; low: number; high: number }[] | null;
}

export interface CurveKind {
  /** Of a class's report: the area under the curve. */
  area: 'auroc' | 'auprc';
  axes: readonly [x: string, y: string];
  /** Between its points. */
  interpolate: 'linear' | 'step-before';
  /** What chance gives, at the left and at the right. */
  chance(prevalence: number): [left: number, right: number];
  of(cases: ClassifiedCases, label: number, options: BandOptions): BandedCurve;
}

export const curveKinds: readonly CurveKind[] = [
  {
    area: 'auroc',
    axes: ['false positive rate', 'true positive rate'],
    interpolate: 'linear',
    chance: () => [0, 1],
    of: (cases, label, options) => ({
      line: rocCurve(cases, label).map(({ falsePositiveRate: x, truePositiveRate: y }) => ({ x, y })),
      band: rocBand(cases, label, options)?.map(({ falsePositiveRate: x, ...ends }) => ({ x, ...ends })) ?? null,
    }),
  },
  {
    area: 'auprc',
    axes: ['recall', 'precision'],
    // A recall has the precision of the highest threshold that reaches it: the area below is the average precision.
    interpolate: 'step-before',
    chance: (prevalence) => [prevalence, prevalence],
    of(cases, label, options) {
      const points = precisionRecallCurve(cases, label).map(({ recall: x, precision: y }) => ({ x, y }));
      const line = points.filter(({ x }, place) => x > 0 && x !== points[place - 1]?.x);
      const band = precisionRecallBand(cases, label, options);
      return {
        line: [{ x: 0, y: line[0]!.y }, ...line],
        band: band?.map(({ recall: x, ...ends }) => ({ x, ...ends })) ?? null,
      };
    },
  },
];
