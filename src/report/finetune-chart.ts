import type { FineTuneEvent, FineTuneRun } from '../experiments/index.js';
import { chartOutput, type VegaLiteSpec, vegaLiteBundle } from './chart.js';
import { newLiveDisplay } from './display.js';
import { duration } from './progress.js';
import { palette } from './style.js';
import { TrainingHistory, trainingHistory } from './training-history.js';

const everyMilliseconds = 2000;
/** A panel's lines have so many places. */
const places = 50;

/** Fine-tunings in one chart that changes in place: means over the runs of each arm. */
export class FineTuningChart {
  private readonly output = newLiveDisplay();
  private readonly histories = new Map<string, { arm: string; history: TrainingHistory }>();
  private readonly started = performance.now();
  private shownAt = Number.NEGATIVE_INFINITY;
  private done = 0;
  private current = '';

  constructor(private readonly options: { runs: readonly FineTuneRun[]; steps: number; validation: string }) {}

  /** @param log of the training: what an earlier process did of it is read there */
  async add({ arm, name, fold, seed }: FineTuneRun, event: FineTuneEvent, log: string): Promise<void> {
    const { history } = this.histories.get(name) ?? { history: new TrainingHistory() };
    this.histories.set(name, { arm, history });
    if (event.kind === 'kept' || event.kind === 'resumed') await trainingHistory(log, history).catch(() => {});
    if (event.kind !== 'kept') history.add(event, Date.now());
    if (event.kind === 'kept' || event.kind === 'finished') this.done++;
    this.current = `${arm}, fold ${fold + 1}, seed ${seed}, step ${event.step} of ${this.options.steps}`;
    if (performance.now() - this.shownAt < everyMilliseconds) return;
    const { spec, alt } = this.draw(true);
    this.output.update(vegaLiteBundle(spec, alt));
    this.shownAt = performance.now();
  }

  /** Draws all, also as an image, for the notebook file. */
  async finish(): Promise<void> {
    if (this.histories.size === 0) return;
    const { spec, alt } = this.draw(false);
    this.output.update(...(await chartOutput(spec, { alt })));
  }

  private draw(isRunning: boolean): { spec: VegaLiteSpec; alt: string } {
    const { runs, steps, validation } = this.options;
    const arms = [...new Set(runs.map(({ arm }) => arm))];
    const title = `${runs.length} fine-tunings`;
    const seconds = duration((performance.now() - this.started) / 1000);
    const state = isRunning
      ? `${this.done} done in ${seconds}; now ${this.current}`
      : `${this.done} done in ${seconds}`;
    const panels = [
      { title: 'loss', metric: 'loss' },
      { title: validation, metric: 'validation' },
    ].map(({ title, metric }) => ({ title, values: arms.flatMap((arm) => this.line(arm, metric)) }));
    const shown = panels.filter(({ values }) => values.length > 0);
    const color = {
      field: 'arm',
      type: 'nominal' as const,
      scale: { domain: arms, range: arms.map((_, place) => palette[place % palette.length]!) },
      title: null,
      legend: { orient: 'top' as const, columns: 4 },
    };
    const spec: VegaLiteSpec = {
      title: { text: title, subtitle: [state, 'means over the runs of an arm'] },
      spacing: 14,
      vconcat: shown.map(({ title, values }, panel) => ({
        ...{ width: 620, height: 150, data: { values } },
        mark: { type: 'line', point: values.length <= 10 * arms.length },
        encoding: {
          x: {
            field: 'step',
            type: 'quantitative',
            title: panel === shown.length - 1 ? 'step' : null,
            scale: { domain: [0, steps], nice: false },
            axis: { tickMinStep: 1, tickCount: 8, format: ',d' },
          },
          y: {
            field: 'value',
            type: 'quantitative',
            title,
            scale: { zero: false },
            axis: { tickCount: 5, minExtent: 34, format: '.3~f' },
          },
          color,
        },
      })),
    };
    const words = shown.flatMap(({ title, values }) =>
      arms.flatMap((arm) => {
        const own = values.filter((point) => point.arm === arm);
        return own.length > 0
          ? [`${title} of ${arm} ${own[0]!.value.toPrecision(3)} → ${own.at(-1)!.value.toPrecision(3)}`]
          : [];
      }),
    );
    return { spec, alt: [`${title}: ${state}`, ...words].join('; ') };
  }

  /** Means over the runs of an arm, and over neighboring steps. */
  private line(arm: string, metric: string): { arm: string; step: number; value: number }[] {
    const width = Math.max(1, Math.ceil(this.options.steps / places));
    const sums = new Map<number, { sum: number; count: number }>();
    for (const { arm: of, history } of this.histories.values()) {
      if (of !== arm) continue;
      for (const { step, value } of history.metrics.get(metric)?.points() ?? []) {
        const at = Math.ceil(step / width) * width;
        const { sum, count } = sums.get(at) ?? { sum: 0, count: 0 };
        sums.set(at, { sum: sum + value, count: count + 1 });
      }
    }
    return [...sums]
      .sort(([one], [other]) => one - other)
      .map(([step, { sum, count }]) => ({ arm, step: Math.min(step, this.options.steps), value: sum / count }));
  }
}
