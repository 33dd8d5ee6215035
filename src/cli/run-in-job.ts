import { isPretraining, jobStartSeconds, runPretrainWorker } from '../experiments/index.js';
import { type PlaceInJob, placeInJob } from '../training/index.js';
import { UsageError } from './usage-error.js';

/**
 * Exit code of a run in a job that was interrupted, after a checkpoint: a batch script puts the job back into the queue. It is
 * `EX_TEMPFAIL` of sysexits.h.
 */
export const requeueCode = 75;

/** The place of this process in a job that trains a notebook (see `placeInJob`); undefined for other notebooks. */
export function placeOfRun(notebook: string): PlaceInJob | undefined {
  return isPretraining(notebook) ? placeInJob(process.env) : undefined;
}

/**
 * The processes that are to train a notebook, as `-p processes`: those that `pathlab launch` asks for, or those of the job.
 *
 * @throws UsageError for a notebook that does not train in several, or if the user has named them too
 */
export function processesOfRun(
  notebook: string,
  texts: readonly (readonly [string, string])[],
  { asked, place }: { asked?: number; place?: PlaceInJob },
): [string, string][] {
  const processes = asked ?? (place && place.count > 1 ? place.count : undefined);
  if (processes === undefined) return [];
  if (!isPretraining(notebook)) {
    throw new UsageError(`${notebook} does not train in several processes; the pretraining notebooks do, 10 to 15`);
  }
  if (texts.some(([name]) => name === 'processes')) {
    throw new UsageError(
      `leave -p processes out: ${asked === undefined ? 'the job has' : 'launch starts'} ${processes}`,
    );
  }
  return [['processes', String(processes)]];
}

/**
 * Takes part in the training of a job as one that is not the first: it waits until the first one's notebook comes to its
 * training. Ends this process.
 */
export async function trainWithJob({ index, count, host }: PlaceInJob): Promise<never> {
  console.log(`worker ${index} of ${count} waits for the training of the first one, on ${host}`);
  const code = await runPretrainWorker({
    ...{ stopSignals: ['SIGINT', 'SIGTERM'], startSeconds: jobStartSeconds, interruptedCode: requeueCode },
  });
  // At once: TensorFlow's server would keep the process.
  process.exit(code);
}
