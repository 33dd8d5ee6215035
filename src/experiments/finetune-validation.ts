import { disposeTensors } from '../engine/index.js';
import { type Monitor, measure, type PatientResults, type Unit } from '../evaluate/index.js';
import type { BatchSource } from '../input/index.js';
import { casesOf } from './finetune-cases.js';
import type { FineTuneTask, TaskPredictor } from './finetune-recipe.js';

/** Measures a task's main metric on validation patches, without influence on the training, as `validation`. */
export function validationMonitor<Results extends PatientResults>(
  { metrics, main, results: resultsOf }: FineTuneTask<Results>,
  options: {
    predictor: TaskPredictor;
    source: BatchSource;
    unit: Unit;
    everySteps: number;
    /** Whether the training stops by it: then a metric without a value is an error. */
    stops: boolean;
    signal?: AbortSignal;
  },
): Monitor {
  const { predictor, source, unit, everySteps, stops, signal } = options;
  const metric = metrics[main]!;
  return {
    everySteps,
    panels: [{ title: `validation, ${metric.label}`, metrics: ['validation'] }],
    async run(_, model): Promise<Record<string, number>> {
      const predictions = await predictor.predict(model, source, { signal });
      try {
        const { value, reason } = measure({ main: metric }, await resultsOf(predictions, casesOf(source, unit))).main;
        if (value === null && stops) {
          throw new RangeError(
            `a training stops early by ${metric.label} of its validation patches, which has no value: ${reason}. Take fewer ` +
              'folds, or no patience',
          );
        }
        return value === null ? ({} as Record<string, number>) : { validation: value };
      } finally {
        disposeTensors(predictions);
      }
    },
    // The predictor is shared with other trainings.
    dispose: () => {},
  };
}
