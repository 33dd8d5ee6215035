/*
 * A process of a pretraining that several divide among them; `pretrainInProcesses` starts it. The first one is told what to
 * train, and reports, over its channel to the process that started it.
 */
import { parentCalls } from '../base/index.js';
import type { TrainingLog } from '../training/index.js';
import { runPretrainWorker, type WorkerOptions } from './pretrain-worker.js';

async function optionsOfFirst(): Promise<WorkerOptions> {
  const call = parentCalls();
  const log: TrainingLog = {
    sync: () => call('sync') as Promise<number>,
    cutTo: (offset) => call('cutTo', offset) as Promise<void>,
  };
  const told = (await call('begin')) as Pick<WorkerOptions, 'training' | 'stopSignals' | 'startSeconds'>;
  return { ...told, log, onEvent: async (event) => void (await call('event', event)) };
}

const options = process.channel ? await optionsOfFirst() : {};
// At once: TensorFlow's server would keep the process.
process.exit(await runPretrainWorker(options));
