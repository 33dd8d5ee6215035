import { interruptSignal } from '../base/index.js';
import type { MonitorPanel } from '../evaluate/index.js';
import {
  type PretrainExperiment,
  type PretrainingData,
  pretrainInProcesses,
  pretrainingMonitors,
} from '../experiments/index.js';
import { type PretrainOptions, trainingSteps } from '../pretrain/index.js';
import { type Run, TensorBoardLog } from '../runs/index.js';
import type { TrainingEvent } from '../training/index.js';
import { CollapseNotice } from './collapse-notice.js';
import { liveTrainingChart } from './live-training-chart.js';

/** Of the loop itself; below those of the monitors. */
const loopPanels: readonly MonitorPanel[] = [
  { title: 'gradient norm', metrics: ['gradientNorm'], small: true },
  { title: 'learning rate', metrics: ['learningRate'], small: true },
  { title: 'images a second', metrics: ['imagesPerSecond'], small: true },
  { title: 'memory of the process, GiB', metrics: ['memoryGibibytes'], small: true },
];

/**
 * Options of `pretrain` for notebooks: monitors, a live chart, a sentence where the training has collapsed, the run's events,
 * checkpoints in the run's folder, the kernel's interrupt, and what trains in several processes where `processes` asks for them
 * (see `pretrainInProcesses`).
 */
export function watch(
  run: Run,
  experiment: PretrainExperiment,
  data: PretrainingData,
): Pick<PretrainOptions, 'monitors' | 'checkpoint' | 'best' | 'divide' | 'onEvent' | 'signal'> {
  const { method, notebook, settings, checkpointEvery } = experiment;
  const signal = interruptSignal();
  const { monitors, best } = pretrainingMonitors(experiment, data, signal);
  const chanceLoss = method.chanceLoss?.(data.train);
  const steps = trainingSteps(settings, data.train);
  const chart = liveTrainingChart({
    title: `${method.name}, ${method.backbone.name}, ${data.train.count} patches`,
    totalSteps: steps,
    panels: [
      {
        title: 'loss',
        metrics: ['loss'],
        ...(chanceLoss !== undefined && { reference: { value: chanceLoss, label: 'all alike' } }),
      },
      ...monitors.flatMap(({ panels }) => panels),
      ...loopPanels,
    ],
    log: run.log.path,
  });
  const notice = new CollapseNotice({ steps, warmup: settings.warmup, chanceLoss });
  const board = new TensorBoardLog(run.file('tensorboard'));
  const onEvent = async (event: TrainingEvent) => {
    await run.emit({ ...event });
    await board.add(event);
    if (event.kind === 'resumed') console.log(`${event.step} steps were done before`);
    if (event.kind === 'looking back') {
      console.log(`the loss is not finite: ${event.step - event.from} steps are taken again, to see where that began`);
    }
    await chart.add(event);
    if (event.kind === 'evaluation') {
      const collapse = notice.judge(event, chart.history);
      if (collapse) await run.emit({ kind: 'collapsed', step: event.step, ...collapse });
    }
    if (['finished', 'interrupted', 'failed'].includes(event.kind)) await chart.finish();
  };
  const { checkpoints: folder, parts: identity, log } = run;
  const checkpoint = { folder, everySteps: checkpointEvery, keep: 2, identity, log };
  return {
    ...{ monitors, checkpoint, best, onEvent, signal },
    divide: ({ processes, identity: asked }) =>
      pretrainInProcesses({
        ...{ notebook, parameters: run.identity.parameters, processes, onEvent, signal },
        checkpoint: { ...checkpoint, asked },
      }),
  };
}
