import { interruptSignal, key } from '../base/index.js';
import type { Monitor, MonitorPanel } from '../evaluate/index.js';
import { accuracyMonitor, alignmentMonitor, collapseMonitor, MonitoredFeatures } from '../evaluate/index.js';
import { type PretrainExperiment, type PretrainingData, stepsBetweenEvaluations } from '../experiments/index.js';
import { type PretrainOptions, trainingSteps } from '../pretrain/index.js';
import { type Run, TensorBoardLog } from '../runs/index.js';
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
 * checkpoints in the run's folder, and the kernel's interrupt.
 */
export function watch(
  run: Run,
  experiment: PretrainExperiment,
  data: PretrainingData,
): Pick<PretrainOptions, 'monitors' | 'checkpoint' | 'best' | 'onEvent' | 'signal'> {
  const { method, settings, checkpointEvery } = experiment;
  const monitors = monitorsOf(experiment, data);
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
  return {
    monitors,
    checkpoint: {
      folder: run.checkpoints,
      everySteps: checkpointEvery,
      keep: 2,
      identity: run.parts,
      log: run.log,
    },
    best: data.bank ? { metric: 'knnAccuracy' } : undefined,
    async onEvent(event) {
      await run.emit({ ...event });
      await board.add(event);
      if (event.kind === 'resumed') console.log(`${event.step} steps were done before`);
      if (event.kind === 'looking back') {
        console.log(
          `the loss is not finite: ${event.step - event.from} steps are taken again, to see where that began`,
        );
      }
      await chart.add(event);
      if (event.kind === 'evaluation') {
        const collapse = notice.judge(event, chart.history);
        if (collapse) await run.emit({ kind: 'collapsed', step: event.step, ...collapse });
      }
      if (['finished', 'interrupted', 'failed'].includes(event.kind)) await chart.finish();
    },
    signal: interruptSignal(),
  };
}

/** kNN if there are classes, collapse, and alignment of views. */
function monitorsOf(experiment: PretrainExperiment, data: PretrainingData): Monitor[] {
  const { method, settings, neighbors } = experiment;
  const { bank, heldOut } = data.watched;
  const shared = {
    everySteps: stepsBetweenEvaluations(experiment, data),
    features: new MonitoredFeatures(interruptSignal()),
  };
  const collapse = collapseMonitor({ ...shared, patches: heldOut });
  const views = { patches: data.viewed, views: method.views[0]!, key: key(settings.seed).fold('alignment') };
  const always = [collapse, alignmentMonitor({ ...views, ...shared })];
  if (!bank) return always;
  // As the comparison at the end: of a few patches all vote.
  const most = Math.min(neighbors, bank.count);
  return [accuracyMonitor({ ...shared, bank, queries: heldOut, neighbors: most }), ...always];
}
