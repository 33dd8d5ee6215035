import type { Generator } from '../../../src/base/index.js';
import { type ClassifiedCases, classifiedCases } from '../../../src/evaluate/index.js';
import { hashUniform } from '../../fixtures/hash-uniform.js';

/** Settings of random cases; few `levels` make ties, and only the first `present` classes have cases. */
export interface HashedCases {
  stream: number;
  count: number;
  classes: number;
  levels: number;
  present: number;
}

/** Whole numbers in [0, below): those of fixtures/sklearn-metrics/make.py. */
export function integers(stream: number, count: number, below: number): Int32Array {
  return Int32Array.from(hashUniform(stream, count), (value) => Math.floor(((value + 1) / 2) * below));
}

/** The cases of make.py; the patient of a case is `patientOf` its row, by default its own. */
export function hashedCases(
  { stream, count, classes, levels, present }: HashedCases,
  patientOf: (row: number) => number = (row) => row,
): ClassifiedCases {
  const weights = integers(stream, count * classes, levels).map((level) => level + 1);
  const probabilities = new Float32Array(count * classes);
  for (let row = 0; row < count; row++) {
    const own = weights.subarray(row * classes, (row + 1) * classes);
    const sum = own.reduce((total, weight) => total + weight, 0);
    own.forEach((weight, label) => {
      probabilities[row * classes + label] = weight / sum;
    });
  }
  return classifiedCases({
    probabilities,
    labels: integers(stream + 1, count, present),
    patients: Array.from({ length: count }, (_, row) => `patient ${patientOf(row)}`),
    classNames: Array.from({ length: classes }, (_, label) => `class ${label}`),
  });
}

/** Some of the cases, in another order or several times. */
export function pickCases(
  cases: ClassifiedCases,
  rows: readonly number[],
  patients?: readonly string[],
): ClassifiedCases {
  const classes = cases.classNames.length;
  return classifiedCases({
    probabilities: Float32Array.from(
      rows.flatMap((row) => [...cases.probabilities.subarray(row * classes, (row + 1) * classes)]),
    ),
    labels: Int32Array.from(rows, (row) => cases.labels[row]!),
    patients: patients ?? rows.map((row) => cases.patients[cases.patientOf[row]!]!),
    classNames: cases.classNames,
  });
}

/** Two classes; the log-odds of a case are its class times `effect`, plus what its patient and the case add. */
export function simulatedCases(
  generator: Generator,
  { patients, each, effects }: { patients: number; each: number; effects: readonly number[] },
): ClassifiedCases[] {
  const labels = Int32Array.from({ length: patients * each }, () => Number(generator.uniform() < 0.4));
  const names = Array.from(labels, (_, row) => `patient ${Math.floor(row / each)}`);
  const shifts = Array.from({ length: patients }, () => generator.normal());
  const shared = Array.from(labels, (_, row) => shifts[Math.floor(row / each)]! + 0.7 * generator.normal());
  return effects.map((effect) => {
    const probabilities = Array.from(labels, (label, row) => {
      const odds = effect * (label - 0.5) + shared[row]! + 0.5 * generator.normal();
      const positive = 1 / (1 + Math.exp(-odds));
      return [1 - positive, positive];
    });
    return classifiedCases({
      probabilities: Float32Array.from(probabilities.flat()),
      labels,
      patients: names,
      classNames: ['normal', 'tumor'],
    });
  });
}
