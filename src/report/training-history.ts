import { readEvents } from '../runs/index.js';
import type { TrainingEvent } from '../training/index.js';
import { Series } from './series.js';

/** A training so far, in bounded memory. */
export class TrainingHistory {
  /** Every metric of steps and evaluations, by name. */
  readonly metrics = new Map<string, Series>();
  /** Finished steps. */
  step = 0;
  /** Training time, without the time between an interruption and the next start. */
  seconds = 0;
  /** Of this, for evaluations. */
  watchedSeconds = 0;
  private lastTime: number | undefined;
  /** The first step of this process: compiling it takes longer than a step. */
  private start: { step: number; seconds: number } | undefined;

  /** @param time ms since 1970 */
  add(event: TrainingEvent, time: number): void {
    if (event.kind === 'resumed') this.pause();
    if (this.lastTime !== undefined) this.seconds += (time - this.lastTime) / 1000;
    this.lastTime = time;
    this.step = event.step;
    if (event.kind !== 'step' && event.kind !== 'evaluation') return;
    if (event.kind === 'evaluation') this.watchedSeconds += event.seconds;
    if (event.kind === 'step') this.start ??= { step: event.step, seconds: this.seconds };
    for (const [name, value] of Object.entries(event)) {
      // A diverged metric is NaN and cannot be drawn.
      if (typeof value === 'number' && Number.isFinite(value) && name !== 'step' && name !== 'steps') {
        this.series(name).add({ step: event.step, value });
      }
    }
  }

  /** The time from here to the next event is not counted: another process continues. */
  pause(): void {
    this.lastTime = undefined;
    this.start = undefined;
  }

  /** Mean time of a step since the process started; undefined before its second step. */
  get stepsPerSecond(): number | undefined {
    if (!this.start || this.step <= this.start.step) return undefined;
    return (this.step - this.start.step) / (this.seconds - this.start.seconds);
  }

  private series(name: string): Series {
    const series = this.metrics.get(name) ?? new Series();
    this.metrics.set(name, series);
    return series;
  }
}

/**
 * Reads the history of a training from a run's `events.jsonl`, also of several million steps.
 *
 * @param history what the events are added to
 * @throws Error naming a line that is not an event
 */
export async function trainingHistory(path: string, history = new TrainingHistory()): Promise<TrainingHistory> {
  for await (const event of readEvents(path)) {
    if (event.kind === 'opened') history.pause();
    // Other events of a run, such as those of its data, have no step.
    else if (typeof event.step === 'number') history.add(event as TrainingEvent, Date.parse(event.time!));
  }
  return history;
}
