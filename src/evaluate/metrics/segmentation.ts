import { boundaryF1 } from './boundary.js';
import { matrixRows } from './classification.js';
import { accuracy, type ClassCounts, classCounts, f1, sumOver } from './confusion.js';
import { type MetricDefinition, type MetricValue, meanOfExisting, measure, metricOfSums, quotient } from './metric.js';
import type { SegmentedCases } from './segmentation-counts.js';

type Classes = readonly string[] | 'foreground';

/** Added to denominators by the paper's code. */
const epsilon = 1e-5;

/**
 * Metrics of all pixels together. Macro: the mean over classes; a class that is neither in the masks nor predicted is left
 * out, one that is only predicted counts as 0. Micro: of the sums over classes, so that frequent classes weigh more; over
 * all classes micro Dice equals pixel accuracy.
 *
 * @param over names of the classes that macro and micro metrics are of; or `foreground`, all but the first, which is often the
 *   background; default: all
 * @throws RangeError when computed, if a name is no class
 */
export function segmentationMetrics(over?: Classes) {
  return {
    macroIou: ofClasses('mIoU', over, (counts) => meanOfExisting(counts.map(iou), nothing)),
    macroDice: ofClasses('Dice', over, (counts) => meanOfExisting(counts.map(f1), nothing)),
    microIou: ofClasses('Micro IoU', over, (counts) => quotient(sumOver(counts, 'correct'), union(counts), nothing)),
    microDice: ofClasses('Micro Dice', over, (counts) =>
      quotient(2 * sumOver(counts, 'correct'), sumOver(counts, 'actual') + sumOver(counts, 'predicted'), nothing),
    ),
    pixelAccuracy: ofConfusion('Pixel accuracy', accuracy),
    boundaryF1: {
      label: labelOf('Boundary F1', over),
      of: (...results) => {
        const labels = chosen(results[0]!, over);
        return metricOfSums(
          results.flatMap(({ boundaries }) => boundaries),
          (sums) =>
            meanOfExisting(
              labels.map((label) => boundaryF1(sums, label)),
              'no class has a boundary',
            ),
        );
      },
    },
  } satisfies Record<string, MetricDefinition<SegmentedCases>>;
}

/**
 * The metrics as the paper's code computes them (enigmanx20/PatchTCGA, `train_utils.py`, `DiceJaccardAccuracy`): 1e-5 is
 * added to each denominator, and a class that is neither in the masks nor predicted counts as 0 and stays in the mean, so
 * that macro metrics of masks without it are lower than ours. Its mean pixel accuracy is the mean recall.
 */
export const paperSegmentationMetrics = {
  macroIou: ofPaper('mIoU (paper)', (counts) => meanOf(counts, ({ correct }, all) => correct / (all + epsilon))),
  macroDice: ofPaper('Dice (paper)', (counts) =>
    meanOf(counts, ({ correct }, all) => (2 * correct) / (all + correct + epsilon)),
  ),
  microIou: ofPaper('Micro IoU (paper)', (counts) => sumOver(counts, 'correct') / (union(counts) + epsilon)),
  microDice: ofPaper(
    'Micro Dice (paper)',
    (counts) => (2 * sumOver(counts, 'correct')) / (union(counts) + sumOver(counts, 'correct') + epsilon),
  ),
  pixelAccuracy: ofPaper('Mean pixel accuracy (paper)', (counts) =>
    meanOf(counts, ({ correct, actual }) => correct / (actual + epsilon)),
  ),
} satisfies Record<string, MetricDefinition<SegmentedCases>>;

export interface SegmentationReport {
  metrics: Record<keyof ReturnType<typeof segmentationMetrics>, MetricValue>;
  /** By the paper's rule. */
  paper: Record<keyof typeof paperSegmentationMetrics, MetricValue>;
  /** By class; null for a class that is neither in the masks nor predicted, or whose boundary is in neither. */
  classes: { class: string; pixels: number; iou: number | null; dice: number | null; boundaryF1: number | null }[];
  /** `[true class][predicted class]`, pixels. */
  confusion: number[][];
}

/** All metrics of a run's predictions, of all pixels together and by class. */
export function segmentationReport(results: SegmentedCases): SegmentationReport {
  const { classNames, confusion, boundaries } = results;
  const matrix = sumOf(confusion);
  const allBoundaries = sumOf(boundaries);
  return {
    metrics: measure(segmentationMetrics(), results),
    paper: measure(paperSegmentationMetrics, results),
    classes: classCounts(matrix).map((counts, label) => ({
      class: classNames[label]!,
      pixels: counts.actual,
      iou: iou(counts),
      dice: f1(counts),
      boundaryF1: boundaryF1(allBoundaries, label),
    })),
    confusion: matrixRows(matrix),
  };
}

const nothing = 'no pixel has any of the classes';

/** Intersection over union; null for a class that is neither actual nor predicted. */
function iou(counts: ClassCounts): number | null {
  const all = union([counts]);
  return all === 0 ? null : counts.correct / all;
}

function ofClasses(
  label: string,
  over: Classes | undefined,
  metric: (counts: readonly ClassCounts[]) => MetricValue,
): MetricDefinition<SegmentedCases> {
  return {
    label: labelOf(label, over),
    of: (...results) => {
      const labels = chosen(results[0]!, over);
      return ofConfusion(label, (matrix) => {
        const counts = classCounts(matrix);
        return metric(labels.map((of) => counts[of]!));
      }).of(...results);
    },
  };
}

function ofPaper(label: string, metric: (counts: readonly ClassCounts[]) => number): MetricDefinition<SegmentedCases> {
  return ofConfusion(label, (matrix) => ({ value: metric(classCounts(matrix)) }));
}

function ofConfusion(label: string, metric: (matrix: Float64Array) => MetricValue): MetricDefinition<SegmentedCases> {
  return {
    label,
    of: (...results) =>
      metricOfSums(
        results.flatMap(({ confusion }) => confusion),
        metric,
      ),
  };
}

function labelOf(label: string, over: Classes | undefined): string {
  return over ? `${label} (${over === 'foreground' ? 'all but the first class' : over.join(', ')})` : label;
}

function chosen({ classNames }: SegmentedCases, over: Classes = classNames): number[] {
  return (over === 'foreground' ? classNames.slice(1) : over).map((name) => {
    const label = classNames.indexOf(name);
    if (label < 0) throw new RangeError(`"${name}" is not one of the classes ${classNames.join(', ')}`);
    return label;
  });
}

function meanOf(counts: readonly ClassCounts[], metric: (of: ClassCounts, union: number) => number): number {
  return counts.reduce((held, of) => held + metric(of, union([of])), 0) / counts.length;
}

function union(counts: readonly ClassCounts[]): number {
  return sumOver(counts, 'actual') + sumOver(counts, 'predicted') - sumOver(counts, 'correct');
}

function sumOf(parts: readonly Float64Array[]): Float64Array {
  return parts.reduce((held, part) => held.map((value, place) => value + part[place]!));
}
