import { pretrainingData } from '../experiments/index.js';
import { compareWithBaselines, comparisonMetrics, initialFilesOf } from '../report/index.js';
import { dataFindings, type Finding, metricFindings, toleranceOf } from './finding.js';
import { encoderOf, experimentOf, type FinishedRun } from './finished-run.js';

/** Opens the data of a pretraining run and evaluates its weights again. */
export async function* pretrainingFindings(run: FinishedRun): AsyncGenerator<Finding> {
  const experiment = experimentOf(run);
  const data = await pretrainingData(experiment);
  yield* dataFindings(run, data);
  const trained = { encoder: await encoderOf(run, experiment), initialFiles: initialFilesOf(run.weights) };
  const comparison = await compareWithBaselines(experiment, data, trained);
  if (!comparison) return console.log('not evaluated again: no patch has a class');
  const metrics = comparisonMetrics(comparison, '').map(({ interval: _, ...metric }) => metric);
  yield* metricFindings(run, metrics, toleranceOf(comparison.patches));
}
