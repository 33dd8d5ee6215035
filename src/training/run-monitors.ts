import { InterruptedError } from '../base/index.js';
import type { TrainingTensors } from './checkpoint.js';

/** Evaluates a model during training. */
export interface TrainingMonitor {
  everySteps: number;
  /** Must not change or dispose of the tensors. */
  run(tensors: TrainingTensors, step: number): Record<string, number> | Promise<Record<string, number>>;
}

/**
 * Runs monitors one after the other.
 *
 * @param step steps done
 * @returns what they found; undefined if one was interrupted: what the others found is to be found again
 */
export async function runMonitors(
  monitors: readonly TrainingMonitor[],
  tensors: TrainingTensors,
  step: number,
): Promise<Record<string, number> | undefined> {
  const found: Record<string, number> = {};
  try {
    for (const monitor of monitors) Object.assign(found, await monitor.run(tensors, step));
  } catch (error) {
    if (error instanceof InterruptedError) return undefined;
    throw error;
  }
  return found;
}
