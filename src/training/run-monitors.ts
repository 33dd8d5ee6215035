import { InterruptedError } from '../base/index.js';
import type { TrainingTensors } from './checkpoint.js';
import { firstNotFinite } from './not-finite.js';

/** Evaluates a model during training. */
export interface TrainingMonitor {
  everySteps: number;
  /** Must not change or dispose of the tensors. */
  run(tensors: TrainingTensors, step: number): Record<string, number> | Promise<Record<string, number>>;
}

/** Where a training stands that is evaluated. */
export interface EvaluatedAt {
  /** Steps done, of so many. */
  step: number;
  steps: number;
  lastCheckpoint: string | undefined;
}

/**
 * Runs monitors one after the other, on a model whose numbers are finite.
 *
 * @returns what they found; undefined if one was interrupted: what the others found is to be found again
 * @throws Error that names the step, what is wrong and the last good checkpoint: a tensor that is not finite, or what a
 *   monitor throws
 */
export async function runMonitors(
  monitors: readonly TrainingMonitor[],
  tensors: TrainingTensors,
  { step, steps, lastCheckpoint }: EvaluatedAt,
): Promise<Record<string, number> | undefined> {
  const failure = (what: string, cause?: unknown) =>
    new Error(`${what}. ${sayLastGood(lastCheckpoint)}`, cause === undefined ? {} : { cause });
  const broken = firstNotFinite({ ...tensors.parameters, ...tensors.state });
  if (broken !== undefined) {
    throw failure(`the tensor "${broken}" holds values that are not finite after step ${step} of ${steps}`);
  }
  const found: Record<string, number> = {};
  try {
    for (const monitor of monitors) Object.assign(found, await monitor.run(tensors, step));
  } catch (error) {
    if (error instanceof InterruptedError) return undefined;
    throw failure(`the evaluation after step ${step} of ${steps} failed: ${(error as Error).message}`, error);
  }
  return found;
}

/** Which checkpoint a training that breaks leaves. */
export function sayLastGood(lastCheckpoint: string | undefined): string {
  return lastCheckpoint === undefined
    ? 'There is no checkpoint before it'
    : `The last good checkpoint is ${lastCheckpoint}`;
}
