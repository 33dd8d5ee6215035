import { type CompileOptions, collectiveBytes, compile, disposeTensors } from '../engine/index.js';
import type { Replicas } from './replicas.js';
import type { Step } from './training-step.js';

/**
 * What it costs that several replicas train together, on the average of the last steps. The three shares add up to 1. They are
 * quotients of measured times, so that on a machine with little to do one may come out slightly below 0 or above 1.
 */
export interface ExchangeCost {
  /** Mean over replicas of the time of their own work, as a share of a step. */
  efficiency: number;
  /** Mean over replicas of the time that the slowest one's own work takes longer, as a share of a step. */
  waitingShare: number;
  /** The rest of a step, in which even the slowest does not work: it exchanges, or waits for what others send. */
  exchangeShare: number;
  /** Bytes that each replica gives to the sums and gathers of a step. */
  exchangedBytes: number;
}

/** Steps from report to report, over which times are averaged. */
const reportEvery = 10;
const timedRuns = 3;

/**
 * Measures what the exchange between replicas costs. Before the first step of this process, all replicas at once run the step
 * without it (see `withoutExchange`): once to record it, and three times of which the middle one's time is that of their
 * own work. It has the same rows, the same ops and the same neighbors on the machine as the training, and changes nothing of
 * it. It is measured once: work that becomes slower later counts as exchange.
 *
 * A step's time, of which these are shares, is from its start to when its metrics are read, the mean over replicas: batches,
 * evaluations and checkpoints are no part of it, but one replica that is late with those makes it longer for the others.
 */
export class ExchangeMeter<Name extends string = never> {
  private own: { mean: number; slowest: number } | undefined;
  private bytesBefore = 0;
  private bytes = 0;
  private runs = 0;
  private times: number[] = [];

  /** @param step without the exchange */
  constructor(
    private readonly replicas: Replicas,
    private readonly step: Step<Name>,
    private readonly options: Pick<CompileOptions, 'precision'>,
  ) {}

  /** Times the replicas' own work, once; all have to call it. The inputs stay as they are. */
  async begin(inputs: Parameters<Step<Name>>): Promise<void> {
    if (this.own) return;
    const step = compile(this.step, { ...this.options, name: 'the step without the exchange' });
    const times: number[] = [];
    try {
      await this.replicas.together(() => run());
      for (let each = 0; each < timedRuns; each++) times.push(await run());
    } finally {
      step.dispose();
    }
    async function run(): Promise<number> {
      const began = performance.now();
      const { tensors, metrics, squares } = await step(...inputs);
      metrics.loss!.dataSync();
      const seconds = (performance.now() - began) / 1000;
      disposeTensors(tensors.parameters, tensors.state, tensors.optimizer, metrics, squares);
      return seconds;
    }
    const all = await this.replicas.valuesOfAll(times.sort((one, other) => one - other)[Math.floor(timedRuns / 2)]!);
    this.own = { mean: all.reduce((sum, each) => sum + each, 0) / all.length, slowest: Math.max(...all) };
    this.bytesBefore = collectiveBytes();
  }

  /** Takes the time of a step. The first one's is that of recording it. */
  add(seconds: number): void {
    this.runs++;
    if (this.runs === 1) this.bytes = collectiveBytes() - this.bytesBefore;
    else this.times = [...this.times.slice(1 - reportEvery), seconds];
  }

  /** What a step took here lately, the mean of up to ten, in seconds; 0 if nothing is known yet. */
  get lately(): number {
    return this.times.length === 0 ? 0 : this.times.reduce((sum, each) => sum + each, 0) / this.times.length;
  }

  /**
   * @param step steps done
   * @param seconds mean over replicas of `lately`
   * @returns undefined between reports
   */
  report(step: number, seconds: number): ExchangeCost | undefined {
    if (!this.own || step % reportEvery !== 0 || !(seconds > 0)) return undefined;
    const { mean, slowest } = this.own;
    return {
      efficiency: mean / seconds,
      waitingShare: (slowest - mean) / seconds,
      exchangeShare: 1 - slowest / seconds,
      exchangedBytes: this.bytes,
    };
  }
}
