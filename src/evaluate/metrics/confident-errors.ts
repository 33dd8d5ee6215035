import { type ClassifiedCases, predictedClasses } from './classified-cases.js';

/** A case whose predicted class is not its true one. */
export interface ClassificationError {
  /** Row of the cases. */
  case: number;
  label: number;
  predicted: number;
  /** Of the predicted class. */
  probability: number;
}

/** Wrongly classified cases, from the highest probability of the predicted class on; of equal ones, the first. */
export function confidentErrors(cases: ClassifiedCases, most: number): ClassificationError[] {
  const { probabilities, labels, classNames } = cases;
  const predicted = predictedClasses(cases);
  return Array.from(labels, (label, row) => {
    const found = predicted[row]!;
    return { case: row, label, predicted: found, probability: probabilities[row * classNames.length + found]! };
  })
    .filter((error) => error.label !== error.predicted)
    .sort((one, other) => other.probability - one.probability)
    .slice(0, most);
}
