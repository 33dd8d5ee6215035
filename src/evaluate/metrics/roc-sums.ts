import type { PatientSums } from './metric.js';
import type { MeanArea, Ranking } from './ranking.js';

/*
 * The area under the ROC curve is the fraction of pairs of a positive and a negative case in which the positive one has the
 * higher probability (Mann and Whitney's statistic), so it is known from the numbers of such pairs between patients.
 */

/** Before the pairs with each patient: twice the wins so far, positive and negative cases. */
const totals = 3;

/** The mean of the areas of rankings, built up patient by patient at a cost that does not depend on the number of cases. */
export function rocSums(rankings: readonly Ranking[], patients: number, mean: MeanArea): PatientSums {
  const pairs = rankings.map((ranking) => pairsOf(ranking, patients));
  const width = totals + patients;
  return {
    width: width * rankings.length,
    add(before, patient, after) {
      for (let of = 0; of < pairs.length; of++) {
        const { wins, positives, negatives } = pairs[of]!;
        const begin = of * width;
        after[begin] = before[begin]! + before[begin + totals + patient]! + wins[patient * patients + patient]!;
        after[begin + 1] = before[begin + 1]! + positives[patient]!;
        after[begin + 2] = before[begin + 2]! + negatives[patient]!;
        // What each patient's own addition will bring with it.
        for (let other = 0, at = begin + totals; other < patients; other++, at++) {
          after[at] = before[at]! + wins[patient * patients + other]! + wins[other * patients + patient]!;
        }
      }
    },
    value: (sums) =>
      mean(
        pairs.map((_, of) => {
          const [wins, positives, negatives] = sums.subarray(of * width) as unknown as [number, number, number];
          return positives * negatives === 0 ? null : wins / (2 * positives * negatives);
        }),
      ),
  };
}

/** Twice the wins of each patient's positive cases over each patient's negative ones, ties counting half: `[patients, patients]`. */
function pairsOf({ patients: patientOf, positive, endsTie }: Ranking, patients: number) {
  const wins = new Float64Array(patients * patients);
  const [positives, negatives, tied] = [0, 1, 2].map(() => new Float64Array(patients)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  for (let place = 0, first = 0; place < patientOf.length; place++) {
    if (positive[place]) tied[patientOf[place]!]!++;
    else negatives[patientOf[place]!]!++;
    if (!endsTie[place]) continue;
    for (; first <= place; first++) {
      if (positive[first]) continue;
      for (let winner = 0, at = patientOf[first]!; winner < patients; winner++, at += patients) {
        wins[at]! += 2 * positives[winner]! + tied[winner]!;
      }
    }
    for (let winner = 0; winner < patients; winner++) positives[winner]! += tied[winner]!;
    tied.fill(0);
  }
  return { wins, positives, negatives };
}
