import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readEvents } from '../runs/index.js';

/** What a training cost, from its events. */
export interface KeptCost {
  /** Of a fine-tuning; of a pretraining `pretraining`. */
  name: string;
  steps: number;
  /** Steps times the batch size. */
  images: number;
  /** With evaluations, without pauses, and without steps that were lost by a kill and done again. */
  seconds: number;
  /** Of it, evaluations. */
  evaluationSeconds: number;
  /** The most that the process held after an evaluation; null without evaluations. */
  memoryGibibytes: number | null;
  /** Of all CPU packages (see `energyMeter`); null where the machine does not tell it for all of the training. */
  joules: number | null;
}

/** Where a run keeps the costs of its trainings. */
export const costsFile = 'costs.json';

/** Costs that a run keeps; none of a run of an earlier version. */
export function readCosts(folder: string): KeptCost[] {
  const path = join(folder, costsFile);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as KeptCost[]) : [];
}

/** @param log the training's `events.jsonl` */
export async function costOfTraining(log: string, of: { name: string; batchSize: number }): Promise<KeptCost> {
  let [steps, seconds, evaluationSeconds] = [0, 0, 0];
  let memory: number | null = null;
  let joules: number | null = 0;
  let last: number | undefined;
  for await (const event of readEvents(log)) {
    const { kind, step } = event;
    // Another process went on.
    if (kind === 'opened' || kind === 'resumed') last = undefined;
    if (typeof step !== 'number') continue;
    const time = Date.parse(event.time!);
    if (last !== undefined) seconds += (time - last) / 1000;
    else if (kind === 'evaluation') seconds += event.seconds as number;
    last = time;
    steps = step;
    if (kind === 'evaluation') {
      evaluationSeconds += event.seconds as number;
      memory = Math.max(memory ?? 0, event.memoryGibibytes as number);
    }
    if (kind !== 'step' && kind !== 'evaluation') continue;
    joules = joules === null || typeof event.joules !== 'number' ? null : joules + event.joules;
  }
  const measured = steps > 0 ? joules : null;
  return {
    ...{ name: of.name, steps, images: steps * of.batchSize, seconds, evaluationSeconds },
    ...{ memoryGibibytes: memory, joules: measured },
  };
}
