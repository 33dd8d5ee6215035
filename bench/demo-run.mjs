// A pretraining or fine-tuning notebook's trainings in a process of its own, with checkpoints and a log, for the campaigns that
// disturb it or look at it for long.
//
// Argument, as JSON: notebook, scale, steps, run (folder of checkpoints, log and weights), checkpointEvery; and with `watch`
// how often memory is looked at, in steps. Run with --expose-gc then. Prints a line of JSON an event.
import { mkdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { InterruptedError, interruptSignal } from '../dist/base/index.js';
import { tf, writeSafetensors } from '../dist/engine/index.js';
import { accuracyMonitor, collapseMonitor, MonitoredFeatures } from '../dist/evaluate/index.js';
import {
  fineTuneExperiment,
  fineTuningArms,
  fineTuningData,
  isPretraining,
  pretrainExperiment,
  pretrainingData,
  runFineTunings,
} from '../dist/experiments/index.js';
import { pretrain } from '../dist/pretrain/index.js';
import { EventLog, openRun } from '../dist/runs/index.js';
import { mallocTrim } from './malloc-trim.mjs';

const { notebook, scale, steps, run, checkpointEvery, watch } = JSON.parse(process.argv[2]);
const say = (value) => writeSync(1, `${JSON.stringify(value)}\n`);

const trim = watch ? mallocTrim() : undefined;

const memory = async () => {
  await setImmediate();
  globalThis.gc();
  trim?.();
  return {
    megabytes: process.memoryUsage.rss() / 2 ** 20,
    tensors: tf.memory().numTensors,
    native: tf.backend().binding.getNumOfTensors(),
  };
};

const signal = interruptSignal();
const onEvent = async ({ kind, step, loss }) =>
  say({ kind, step, loss, ...(watch && kind === 'step' && step % watch === 0 && (await memory())) });

async function pretrainOnce() {
  const experiment = pretrainExperiment(notebook, { scale });
  const data = await pretrainingData(experiment);
  mkdirSync(run, { recursive: true });
  const log = await EventLog.open(join(run, 'events.jsonl'));
  const shared = { everySteps: experiment.monitorEvery, features: new MonitoredFeatures() };
  const { model } = await pretrain(experiment.method, {
    settings: { ...experiment.settings, steps },
    batches: data.train,
    monitors: [
      collapseMonitor({ ...shared, patches: data.heldOut }),
      accuracyMonitor({ ...shared, bank: data.bank, queries: data.heldOut, neighbors: experiment.neighbors }),
    ],
    checkpoint: { folder: join(run, 'checkpoints'), everySteps: checkpointEvery, keep: 2, identity: {}, log },
    signal,
    onEvent: async (event) => {
      await log.append({ ...event });
      await onEvent(event);
    },
  });
  await writeSafetensors(join(run, 'weights.safetensors'), { ...model.parameters, ...model.state });
}

/** Of random weights on every fold. */
async function fineTuneOnce() {
  const parameters = { scale, steps, init: 'random' };
  const experiment = { ...fineTuneExperiment(notebook, parameters), checkpointEvery };
  const data = await fineTuningData(experiment);
  const { arms } = await fineTuningArms(experiment, data);
  const opened = await openRun({ notebook, parameters, out: run });
  await runFineTunings(experiment, data, arms, { run: opened, signal, onEvent: (_, event) => onEvent(event) });
}

try {
  await (isPretraining(notebook) ? pretrainOnce() : fineTuneOnce());
} catch (error) {
  if (!(error instanceof InterruptedError)) throw error;
}
