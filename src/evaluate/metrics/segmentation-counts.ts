import { addBoundaries, boundaryCounts } from './boundary.js';
import { checkClassNames } from './confusion.js';
import type { PatientResults } from './metric.js';

/** Counts of the pixels of each patient's images, from which `segmentationMetrics` are computed. */
export interface SegmentedCases extends PatientResults {
  /** Of each patient: confusion matrix, `[classes, classes]`, flat; pixels of class t predicted as p at t * classes + p. */
  confusion: readonly Float64Array[];
  /** Of each patient: `[classes, 4]`, see `addBoundaries`. */
  boundaries: readonly Float64Array[];
}

/** A prediction and the true mask of an image. */
export interface SegmentedImage {
  /** For error messages. */
  name: string;
  patient: string;
  width: number;
  height: number;
  /** `[height, width]`, classes. */
  predicted: Uint8Array;
  /** `[height, width]`, classes or the ignored value. */
  mask: Uint8Array;
}

/**
 * Counts predictions image by image, in memory that depends only on the numbers of patients and classes. A slide may be
 * counted tile by tile; a boundary is then sought in each tile by itself.
 */
export class SegmentationCounts {
  private readonly classNames: readonly string[];
  private readonly ignored: number | undefined;
  private readonly tolerance: number;
  private readonly counts = new Map<string, { cases: number; confusion: Float64Array; boundaries: Float64Array }>();

  /**
   * @param options.ignored mask value whose pixels do not count, such as 255
   * @param options.boundaryTolerance distance, px, within which boundaries match
   */
  constructor(options: { classNames: readonly string[]; ignored?: number; boundaryTolerance?: number }) {
    const { classNames, ignored, boundaryTolerance = 2 } = options;
    checkClassNames(classNames);
    if (ignored !== undefined && !(Number.isInteger(ignored) && ignored >= classNames.length && ignored < 256)) {
      throw new RangeError(`the ignored value is a byte that is no class, ${classNames.length} to 255; got ${ignored}`);
    }
    if (!(boundaryTolerance >= 0))
      throw new RangeError(`a boundary's tolerance is 0 px or more; got ${boundaryTolerance}`);
    this.classNames = classNames;
    this.ignored = ignored;
    this.tolerance = boundaryTolerance;
  }

  /** @throws RangeError on sizes that do not fit, and on a mask value or prediction that is no class */
  add({ name, patient, width, height, predicted, mask }: SegmentedImage): void {
    const { classNames, ignored, tolerance } = this;
    const classes = classNames.length;
    for (const [what, values] of [
      ['mask', mask],
      ['prediction', predicted],
    ] as const) {
      if (values.length !== width * height) {
        throw new RangeError(`${name}: the ${what} has ${values.length} values for ${width} x ${height} px`);
      }
    }
    // Pixels that do not count must not change a patient whose image is refused.
    const confusion = new Float64Array(classes * classes);
    const counted = predicted.slice();
    for (let pixel = 0; pixel < mask.length; pixel++) {
      const [actual, found] = [mask[pixel]!, predicted[pixel]!];
      if (actual === ignored) {
        counted[pixel] = actual;
        continue;
      }
      if (actual >= classes || found >= classes) {
        const [what, value] = actual >= classes ? ['mask', actual] : ['prediction', found];
        const known = classNames.map((of, label) => `${label} ${of}`).join(', ');
        throw new RangeError(
          `${name}: the ${what} has the value ${value} at row ${Math.floor(pixel / width)}, column ${pixel % width},` +
            ` which is no class (${known}${ignored === undefined ? '; no value is ignored' : `; ${ignored} is ignored`})`,
        );
      }
      confusion[actual * classes + found]!++;
    }
    const sums = this.counts.get(patient) ?? {
      cases: 0,
      confusion: new Float64Array(classes * classes),
      boundaries: new Float64Array(classes * boundaryCounts),
    };
    sums.cases++;
    confusion.forEach((count, place) => {
      sums.confusion[place]! += count;
    });
    addBoundaries(
      sums.boundaries,
      { values: counted, width, height },
      { values: mask, width, height },
      { ignored, tolerance },
    );
    this.counts.set(patient, sums);
  }

  /** @throws RangeError if nothing was added */
  results(): SegmentedCases {
    if (this.counts.size === 0) throw new RangeError('metrics of no images');
    const patients = [...this.counts.keys()].sort();
    const of = patients.map((patient) => this.counts.get(patient)!);
    return {
      classNames: this.classNames,
      unit: 'patients',
      patients,
      casesOf: of.map(({ cases }) => cases),
      confusion: of.map(({ confusion }) => confusion),
      boundaries: of.map(({ boundaries }) => boundaries),
    };
  }
}
