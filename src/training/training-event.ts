/**
 * What a training reports while it runs. `step` counts finished steps. Steps and evaluations have `joules`, the energy since
 * the one before, where the machine tells it (see `energyMeter`). Where several replicas train, steps have their number as
 * `processes`, and every tenth what that costs (see `ExchangeCost`).
 */
export type TrainingEvent =
  | {
      kind: 'step';
      step: number;
      steps: number;
      loss: number;
      learningRate: number;
      imagesPerSecond: number;
      [metric: string]: number | string;
    }
  /** `seconds` is what it took, `memoryGibibytes` what this process held after it. */
  | { kind: 'evaluation'; step: number; seconds: number; memoryGibibytes: number; [metric: string]: number | string }
  /** An evaluation that none before it reached was kept. */
  | { kind: 'best'; step: number; score: number }
  /** There was no better one for so long that the training ends here. */
  | { kind: 'stopped early'; step: number; bestStep: number }
  | { kind: 'checkpoint'; step: number; path: string }
  | { kind: 'resumed'; step: number; path: string }
  /** The weight gradients of convolutions are timed before the first step; `done` of `total` are. See `ConvAlgorithms`. */
  | { kind: 'measuring convolutions'; step: number; done: number; total: number }
  | { kind: 'interrupted'; step: number; path: string | undefined }
  /** A loss was not finite; the steps after step `from` are taken again, to see in which layer that began. */
  | { kind: 'looking back'; step: number; from: number }
  /** The training ends with an error. */
  | { kind: 'failed'; step: number; message: string }
  | { kind: 'finished'; step: number };

/** The event log of one training; checkpoints store its length. */
export interface TrainingLog {
  /** Writes what was added so far; gives the log's length in bytes. */
  sync(): Promise<number>;
  /** Drops what came after that length. */
  cutTo(offset: number): Promise<void>;
}
