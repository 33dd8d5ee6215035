import { coinCdf } from './distributions.js';
import { checkIndependent } from './independent-cases.js';

/**
 * McNemar's exact test of two classifiers on the same independent cases, one a patient: of the cases that only one
 * classifier gets right, each has half.
 *
 * @param first whether the first classifier was right, `[cases]`
 * @param patients of the cases
 * @returns numbers of cases that only one gets right, and the two-sided p-value
 * @throws RangeError if a patient has several cases
 *
 * @example
 * // Whether two arms are right about the one patch of each test patient.
 * mcnemarTest([true, true, false], [true, false, false], ['p1', 'p2', 'p3']);
 */
export function mcnemarTest(
  first: readonly boolean[],
  second: readonly boolean[],
  patients: readonly string[],
): { onlyFirst: number; onlySecond: number; p: number } {
  if (first.length !== second.length || first.length !== patients.length) {
    throw new RangeError(`${first.length} and ${second.length} results for ${patients.length} patients`);
  }
  checkIndependent(patients, "McNemar's test");
  const onlyFirst = first.filter((right, row) => right && !second[row]).length;
  const onlySecond = second.filter((right, row) => right && !first[row]).length;
  const p = Math.min(1, 2 * coinCdf(Math.min(onlyFirst, onlySecond), onlyFirst + onlySecond));
  return { onlyFirst, onlySecond, p };
}
