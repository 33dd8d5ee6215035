import { InterruptedError } from '../base/index.js';
import { LostWorkerError } from '../engine/index.js';
import { type PretrainOptions, pretrain } from '../pretrain/index.js';
import { joinReplicas, type TrainingEvent, type TrainingLog } from '../training/index.js';
import { type PretrainParameters, pretrainExperiment } from './pretrain.js';
import { pretrainingData } from './pretraining-data.js';
import { pretrainingMonitors } from './pretraining-monitors.js';

/** What several processes train, as the first one tells the others. */
export interface SharedPretraining {
  notebook: string;
  parameters: PretrainParameters;
  /** Where they keep checkpoints, in a folder that all can read, and what they are to come to. */
  checkpoint: Omit<NonNullable<PretrainOptions['checkpoint']>, 'log'>;
}

/** One process's part in a pretraining. */
export interface WorkerOptions {
  /** What is trained; only the first process knows. */
  training?: SharedPretraining;
  /** What asks it to stop, after a checkpoint: SIGINT by default. */
  stopSignals?: readonly NodeJS.Signals[];
  /** Its exit code then; that of `workerExit` by default. */
  interruptedCode?: number;
  /** How long it waits for the others to start; see `joinReplicas`. */
  startSeconds?: number;
  /** The first one's, which alone reports. */
  onEvent?: (event: TrainingEvent) => Promise<void>;
  log?: TrainingLog;
}

/** How a worker ends. */
export const workerExit = {
  done: 0,
  /** Another worker is gone: all are to start again, from the last checkpoint. */
  lost: 1,
  /** It has failed, and would again. */
  failed: 2,
  /** It was asked to stop, and the checkpoint is written. */
  interrupted: 130,
} as const;

/**
 * Joins the other processes of this job, makes the experiment that the first one tells of, and trains it with them. Errors
 * are written to stderr.
 *
 * @returns the exit code; the process has to end with it at once
 */
export async function runPretrainWorker(options: WorkerOptions = {}): Promise<number> {
  try {
    await trainAsWorker(options);
    return workerExit.done;
  } catch (error) {
    if (error instanceof InterruptedError) return options.interruptedCode ?? workerExit.interrupted;
    if (error instanceof LostWorkerError) {
      console.error(error.message);
      return workerExit.lost;
    }
    console.error((error as Error).stack);
    return workerExit.failed;
  }
}

async function trainAsWorker(options: WorkerOptions): Promise<void> {
  const { training, stopSignals = ['SIGINT'], startSeconds, interruptedCode, onEvent, log } = options;
  const stop = new AbortController();
  let isTraining = false;
  const onSignal = () => {
    // Before that there is nothing to save, and the others are told too.
    if (!isTraining) process.exit(interruptedCode ?? workerExit.interrupted);
    stop.abort();
  };
  for (const signal of stopSignals) process.on(signal, onSignal);

  const replicas = await joinReplicas({ startSeconds, word: training && JSON.stringify(training) });
  const { notebook, parameters, checkpoint } = JSON.parse(replicas.word!) as SharedPretraining;
  const experiment = pretrainExperiment(notebook, parameters);
  const { method, settings } = experiment;
  const data = await replicas.together(() => pretrainingData(experiment, {}, replicas));
  isTraining = true;
  try {
    await pretrain(method, {
      ...{ settings, batches: data.train, replicas, onEvent, signal: stop.signal },
      // An evaluation is not stopped, but the training after it, where all agree on a step.
      ...pretrainingMonitors(experiment, data),
      checkpoint: { ...checkpoint, log },
    });
  } catch (error) {
    // All stop here, and the others may still wait for what this one has for them.
    if (error instanceof InterruptedError) await replicas.leave().catch(() => {});
    throw error;
  }
  await replicas.leave();
}
