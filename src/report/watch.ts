import { interruptSignal } from '../base/index.js';
import type { Monitor } from '../evaluate/index.js';
import { collapseMonitor, knnMonitor } from '../evaluate/index.js';
import type { PretrainExperiment, PretrainingData } from '../experiments/index.js';
import { type PretrainOptions, trainingSteps } from '../pretrain/index.js';
import type { Run } from '../runs/index.js';
import { liveTrainingChart } from './live-training-chart.js';

/**
 * Everything around a pretraining of a notebook: its monitors, a chart that is drawn while it runs, the events of the run,
 * checkpoints in the run's folder, and the kernel's interrupt. To be spread into the options of `pretrain`.
 */
export function watch(
  run: Run,
  experiment: PretrainExperiment,
  data: PretrainingData,
): Pick<PretrainOptions, 'monitors' | 'checkpoint' | 'onEvent' | 'signal'> {
  const { method, settings, batchSize, checkpointEvery } = experiment;
  const monitors = monitorsOf(experiment, data);
  const chanceLoss = method.chanceLoss?.(batchSize);
  const chart = liveTrainingChart({
    title: `${method.name}, ${method.backbone.name}, ${data.train.count} patches`,
    totalSteps: trainingSteps(settings, data.train),
    panels: [
      {
        title: 'loss',
        metrics: ['loss'],
        ...(chanceLoss !== undefined && { reference: { value: chanceLoss, label: 'all alike' } }),
      },
      ...monitors.map(({ panel }) => panel),
    ],
    log: run.log.path,
  });
  return {
    monitors,
    checkpoint: {
      folder: run.checkpoints,
      everySteps: checkpointEvery,
      identity: run.parts,
      log: run.log,
    },
    async onEvent(event) {
      await run.emit({ ...event });
      if (event.kind === 'resumed') console.log(`${event.step} steps were done before`);
      await chart.add(event);
      if (['finished', 'interrupted', 'failed'].includes(event.kind)) await chart.finish();
    },
    signal: interruptSignal(),
  };
}

/** kNN where there are classes, and whether features collapse. */
function monitorsOf(
  { neighbors, monitorEvery: everySteps }: PretrainExperiment,
  { bank, heldOut }: PretrainingData,
): Monitor[] {
  const signal = interruptSignal();
  const collapse = collapseMonitor({ patches: heldOut, everySteps, signal });
  return bank ? [knnMonitor({ bank, queries: heldOut, neighbors, everySteps, signal }), collapse] : [collapse];
}
