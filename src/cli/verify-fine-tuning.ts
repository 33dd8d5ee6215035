import { type MetricValue, measure, type PatientResults } from '../evaluate/index.js';
import {
  compareFineTunings,
  type FineTuneData,
  type FineTuneExperiment,
  type FineTuneRun,
  fineTuningData,
  keepsModel,
  keptFineTunings,
  keptResults,
  predictorOf,
  resultsByArm,
  resultsOfKeptModel,
} from '../experiments/index.js';
import { fineTuningMetrics } from '../report/index.js';
import {
  dataFindings,
  type Finding,
  metricFindings,
  notChecked,
  numbersFinding,
  tolerance,
  toleranceOf,
} from './finding.js';
import { type FinishedRun, fineTuningOf } from './finished-run.js';

/** Of metrics that are computed again from the same predictions, percentage points. */
const rounding = 1e-9;

/**
 * Opens the data of a fine-tuning run, computes its metrics again from the predictions that it keeps, and lets each model
 * that it keeps predict the test patches again.
 */
export async function* fineTuningFindings(run: FinishedRun): AsyncGenerator<Finding> {
  const experiment = fineTuningOf(run);
  const planned = keptFineTunings(run.folder);
  const data = await fineTuningData(experiment);
  yield* dataFindings(run, data);
  const kept: (FineTuneRun & { results: PatientResults })[] = [];
  for (const each of planned) {
    try {
      kept.push({ ...each, results: await keptResults(experiment, data, run.folder, each) });
    } catch (error) {
      yield notChecked(`predictions of ${each.name}`, error);
    }
  }
  if (kept.length === planned.length) {
    const comparison = await compareFineTunings(experiment, { arms: resultsByArm(experiment, kept) });
    yield* metricFindings(run, fineTuningMetrics(experiment, data, comparison), rounding);
  } else {
    yield { what: 'metrics', holds: false, found: 'not computed again: predictions are missing or damaged' };
  }
  yield* modelFindings(run, experiment, data, kept);
}

/** Compares what kept models predict now with what was predicted after their training. */
async function* modelFindings(
  { folder }: FinishedRun,
  experiment: FineTuneExperiment<PatientResults>,
  data: FineTuneData,
  kept: readonly (FineTuneRun & { results: PatientResults })[],
): AsyncGenerator<Finding> {
  const { metrics, masks } = experiment.task;
  // One pixel among a test set's is nothing.
  const points = masks ? tolerance : toleranceOf(data.test.count);
  const predictor = predictorOf(experiment, data);
  try {
    for (const each of kept.filter((run) => keepsModel(experiment, run))) {
      const what = `model of ${each.name}`;
      try {
        const again = measure(metrics, await resultsOfKeptModel(experiment, data, folder, each, predictor));
        const before = measure(metrics, each.results);
        for (const [name, { label }] of Object.entries(metrics)) {
          const [now, then] = [percent(again[name]!), percent(before[name]!)];
          yield numbersFinding({ what: `${what}: ${label}`, unit: '%', points }, [now], [then]);
        }
      } catch (error) {
        yield notChecked(what, error);
      }
    }
  } finally {
    predictor.dispose();
  }
}

const percent = ({ value }: MetricValue) => value && 100 * value;
