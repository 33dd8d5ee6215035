import { key } from '../../dist/base/index.js';
import {
  classifiedCases,
  colorHistograms,
  compareArms,
  fitLogisticRegression,
  groupsOf,
  predictProbabilities,
} from '../../dist/evaluate/index.js';
import { fineTuneExperiment, fineTuningData, patchesInOrder } from '../../dist/experiments/index.js';
import { classWeights } from '../../dist/input/index.js';

/**
 * What color alone tells: logistic regression to convergence on color histograms of 512 bins, classes weighted alike as the
 * fine-tunings have them, with the labelled patients of every seed of a fine-tuning run, judged on its test patients.
 *
 * @param {{set: {name: string}, notebook: string, parameters: object}} planned a fine-tuning of a classification
 * @returns {Promise<object[]>} values, as of `resultsIn`, of the arm `color histogram`
 */
export async function colorBaseline({ set, notebook, parameters }) {
  const experiment = fineTuneExperiment(notebook, parameters);
  const data = await fineTuningData(experiment);
  const { dataset, test, by: unit, labelled, available } = data;
  const { classNames } = dataset;
  const classes = classNames.length;
  const asked = await colorHistograms(test);
  const of = { labels: test.labels, patients: groupsOf(test, unit).names, unit, classNames };
  const runs = [];
  for (const [seed, [{ train }]] of data.folds) {
    const source = patchesInOrder(experiment, data, train);
    const options = { classes, classWeights: classWeights(source.labels, classes) };
    const fitted = await fitLogisticRegression(await colorHistograms(source), source.labels, options);
    const probabilities = await predictProbabilities(fitted, asked);
    runs.push({ results: classifiedCases({ probabilities, ...of }), fineTuningSeed: seed });
  }
  const { values } = await compareArms({
    ...{ arms: { 'color histogram': runs }, metrics: experiment.task.metrics },
    key: key(experiment.settings.seed).fold('comparison'),
  });
  return values.map(({ arm, metric, value, interval, spread }) => ({
    ...{ set: set.name, backbone: null, labels: labelled, available, arm, metric, value: value.value },
    ...{ low: interval?.low ?? null, high: interval?.high ?? null, runs: runs.length },
    fineTuningDeviation: spread.fineTuning.value,
  }));
}
