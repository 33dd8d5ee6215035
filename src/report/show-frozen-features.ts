import { interruptSignal } from '../base/index.js';
import { type ClassifiedCases, comparisonRows } from '../evaluate/index.js';
import {
  type Arm,
  type FineTuneData,
  type FineTuneExperiment,
  type FrozenFeatureResults,
  frozenClassifiers,
  frozenFeatures,
} from '../experiments/index.js';
import { escapeMarkup } from './html.js';
import { withProgress } from './progress.js';
import { display, html } from './show.js';
import { showTable } from './table.js';

/** Judges arms by their frozen features (see `frozenFeatures`), and shows the accuracy of each classifier on them. */
export async function showFrozenFeatures(
  experiment: FineTuneExperiment<ClassifiedCases>,
  data: FineTuneData,
  arms: readonly Arm[],
): Promise<FrozenFeatureResults> {
  const signal = interruptSignal();
  const results = await withProgress('arms whose features were judged', (onProgress) =>
    frozenFeatures(experiment, data, arms, { onProgress, signal }),
  );
  const cells = frozenClassifiers.map((name) => comparisonRows(results.comparisons[name]).arms);
  await showTable(
    arms.map(({ name }) => ({
      Arm: name,
      ...Object.fromEntries(
        frozenClassifiers.map((classifier, column) => [
          classifier,
          cells[column]!.find(({ Arm }) => Arm === name)!.Accuracy,
        ]),
      ),
    })),
    { caption: `Accuracy on test ${data.by}, without training the backbone` },
  );
  const { cost, unconverged, neighbors } = results;
  const sentences = [
    `Linear probe: logistic regression by L-BFGS, cost ${Number(cost.toPrecision(3))} (width x classes / 100)` +
      `${unconverged.length > 0 ? `; it did not converge for ${unconverged.join(', ')}` : ', converged'}.`,
    `kNN: ${neighbors} neighbors, centered features, cosine. Prototypes: class means of centered features of unit length.`,
  ];
  await display(html(`<p>${sentences.map(escapeMarkup).join(' ')}</p>`));
  return results;
}
