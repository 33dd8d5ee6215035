import { differences, loadLatestCheckpoint, type TrainingResult } from '../training/index.js';
import type { PretrainOptions } from './pretrain-options.js';

/**
 * Whether other processes train.
 *
 * @throws RangeError if they are to, and cannot
 */
export function divides(options: PretrainOptions): boolean {
  const { processes = 1, divide, checkpoint, batches, replicas, shared, convAlgorithms } = options;
  if (!(Number.isSafeInteger(processes) && processes > 0)) {
    throw new RangeError(`processes must be an integer of 1 or more; got ${processes}`);
  }
  if (processes === 1) return false;
  if (!divide || !checkpoint) {
    throw new RangeError(
      `processes ${processes}: give pretrain() what watch() gives, too. A program of your own trains in several processes under ` +
        '`pathlab launch`',
    );
  }
  if (replicas || shared || convAlgorithms) {
    throw new RangeError(`processes ${processes}: other processes take no replicas, shared step or convAlgorithms`);
  }
  if (batches.batchSize % processes !== 0) {
    throw new RangeError(
      `batchSize ${batches.batchSize} cannot be divided among ${processes} processes: choose a multiple, or other processes`,
    );
  }
  return true;
}

/** Lets other processes train, and takes their last checkpoint. */
export async function trainDivided(
  { processes, divide }: Pick<PretrainOptions, 'processes' | 'divide'>,
  place: PretrainOptions['checkpoint'],
): Promise<TrainingResult> {
  const { folder, identity } = place!;
  const steps = await divide!({ processes: processes!, identity });
  const found = await loadLatestCheckpoint({ folder, identity });
  if (found?.step !== steps) {
    throw new Error(
      `the processes ended after step ${steps}, but the last checkpoint in ${folder} is of ${found?.step}`,
    );
  }
  const { tensors, best } = found;
  return { tensors, steps, best };
}

/** @throws Error if this process would train something else than it was asked to, naming it */
export function requireAsked(
  identity: Readonly<Record<string, string>>,
  asked: Readonly<Record<string, string>>,
): void {
  const others = differences(asked, identity);
  if (others.length === 0) return;
  throw new Error(
    `the cell trains another experiment than its notebook and parameters make, from which each process makes its own: it ` +
      `differs in ${others.join('; ')}. Change parameters and not the experiment, or train in one process`,
  );
}
