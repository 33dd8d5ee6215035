import { join } from 'node:path';
import { answerCalls, InterruptedError, projectRoot } from '../base/index.js';
import { environmentOfOthers } from '../engine/index.js';
import { placeInJob, superviseWorkers, type TrainingEvent, type TrainingLog } from '../training/index.js';
import { type SharedPretraining, type WorkerOptions, workerExit } from './pretrain-worker.js';

/** The compiled worker, also where this module is run from its source, as in tests. */
const program = join(projectRoot, 'dist', 'experiments', 'pretrain-process.js');

/** How long a worker of a job waits for the first one to come to its training: a week. */
export const jobStartSeconds = 7 * 24 * 3600;

/** A pretraining in several processes. */
export interface ProcessesOptions {
  notebook: string;
  /** Of the notebook, from which each process makes the experiment (see `pretrainExperiment`). */
  parameters: Record<string, unknown>;
  processes: number;
  checkpoint: SharedPretraining['checkpoint'] & { log: TrainingLog };
  /** Gets what the training reports, in order. */
  onEvent: (event: TrainingEvent) => Promise<void>;
  signal: AbortSignal;
}

/**
 * Trains an experiment in several processes on this machine, which divide every batch; this one only listens. They are
 * processes of their own because TensorFlow may be loaded here, and because after a failure all have to start again: they go
 * on from the last checkpoint, at most PATHLAB_MAX_RESTARTS times (3 by default). Events and the log stay here; the first
 * process writes the checkpoints. They all end with this process.
 *
 * Where this process is the first of a job (see `placeInJob`), one is started, and the job's other processes train with it
 * (see `runPretrainWorker`); a failure then ends all.
 *
 * @returns steps done
 * @throws InterruptedError if `signal` aborts, after a checkpoint
 * @throws Error that names the process that failed, with its error
 */
export async function pretrainInProcesses(options: ProcessesOptions): Promise<number> {
  const { notebook, parameters, processes, checkpoint, onEvent, signal } = options;
  const { log, ...place } = checkpoint;
  const ofJob = isFirstOfJob(processes);
  let last: TrainingEvent | undefined;
  const first: WorkerOptions = {
    training: { notebook, parameters: parameters as unknown as SharedPretraining['parameters'], checkpoint: place },
    // A job's signal may come to each process.
    ...(ofJob && { stopSignals: ['SIGINT', 'SIGTERM'] }),
  };
  const { code, failure } = await superviseWorkers({
    ...{ command: [process.execPath, program], processes, ofJob, maxRestarts: ofJob ? 0 : maxRestarts() },
    ...{ environment: environmentOfOthers(), failedForGood: workerExit.failed },
    say: (line) => console.warn(line),
    onStop: (stop) => whenAborted(signal, stop),
    onFirst: (worker) =>
      answerCalls(worker, {
        begin: () => first,
        event: async (event: TrainingEvent) => {
          await onEvent(event);
          last = event;
        },
        sync: () => log.sync(),
        cutTo: (offset: number) => log.cutTo(offset),
      }),
  });
  const ended = last as TrainingEvent | undefined;
  if (ended?.kind === 'finished' && failure === undefined) return ended.step;
  if (ended?.kind === 'interrupted' || (signal.aborted && failure === undefined)) {
    const after = ended?.kind === 'interrupted' ? ` after step ${ended.step}; the checkpoint is ${ended.path}` : '';
    throw new InterruptedError(`training was interrupted${after}; run it again to continue from the last checkpoint`);
  }
  throw new Error(`the training in ${processes} processes failed: ${failure ?? `exit code ${code}`}`);
}

/** @throws Error if the job has another number of processes */
function isFirstOfJob(processes: number): boolean {
  const place = placeInJob(process.env);
  if (!place || place.count === 1) return false;
  if (place.count === processes) return true;
  throw new Error(
    `this process is one of a job of ${place.count}, which is what processes has to be; got ${processes}`,
  );
}

/** @throws Error if the variable is no whole number */
function maxRestarts(): number {
  const text = process.env.PATHLAB_MAX_RESTARTS ?? '3';
  if (/^\d+$/.test(text)) return Number(text);
  throw new Error(`PATHLAB_MAX_RESTARTS is "${text}"; it takes a whole number`);
}

function whenAborted(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener();
  else signal.addEventListener('abort', listener);
  return () => signal.removeEventListener('abort', listener);
}
