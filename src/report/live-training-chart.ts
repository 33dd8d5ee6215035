import type { TrainingEvent } from '../training/index.js';
import { chartOutput, vegaLiteBundle } from './chart.js';
import { newLiveDisplay } from './display.js';
import { type TrainingChartOptions, trainingChart } from './training-chart.js';
import { TrainingHistory, trainingHistory } from './training-history.js';

/** A chart of a training, in one output that changes in place. */
export interface LiveTrainingChart {
  /** What it has taken so far. */
  readonly history: TrainingHistory;
  /** Takes what `train` reports. */
  add(event: TrainingEvent): Promise<void>;
  /** Draws the whole training, also as an image, for the notebook file. Nothing before the first event. */
  finish(): Promise<void>;
}

/** Minimum time between updates. */
const everyMilliseconds = 2000;

/**
 * While the training runs, the front end draws: an update sends a specification of at most 2,000 points and no image.
 * Front ends without Vega-Lite show text.
 *
 * @param options.log `events.jsonl` of the run: a training that resumes shows its earlier steps from there
 */
export function liveTrainingChart({ log, ...options }: TrainingChartOptions & { log?: string }): LiveTrainingChart {
  const output = newLiveDisplay();
  let history = new TrainingHistory();
  let shownAt = Number.NEGATIVE_INFINITY;
  return {
    get history() {
      return history;
    },
    async add(event) {
      // Of several processes, a start after another that has failed: what that reported is in the log, if it was not lost.
      const isBack = event.step < history.step;
      if (log !== undefined && (event.kind === 'resumed' || isBack)) history = await trainingHistory(log);
      if (log === undefined || !isBack) history.add(event, Date.now());
      if (performance.now() - shownAt < everyMilliseconds) return;
      const { spec, alt } = trainingChart(history, options, true);
      output.update(vegaLiteBundle(spec, alt));
      shownAt = performance.now();
    },
    async finish() {
      if (shownAt < 0) return;
      const { spec, alt } = trainingChart(history, options);
      output.update(...(await chartOutput(spec, { alt })));
    },
  };
}
