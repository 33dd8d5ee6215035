import { interruptSignal, key } from '../base/index.js';
import type { Monitor } from '../evaluate/index.js';
import { accuracyMonitor, alignmentMonitor, collapseMonitor, MonitoredFeatures } from '../evaluate/index.js';
import { type PretrainExperiment, type PretrainingData, stepsBetweenEvaluations } from '../experiments/index.js';
import { type PretrainOptions, trainingSteps } from '../pretrain/index.js';
import { type Run, TensorBoardLog } from '../runs/index.js';
import { liveTrainingChart } from './live-training-chart.js';

/**
 * Options of `pretrain` for notebooks: monitors, a live chart, the run's events, checkpoints in the run's folder, and
 * the kernel's interrupt.
 */
export function watch(
  run: Run,
  experiment: PretrainExperiment,
  data: PretrainingData,
): Pick<PretrainOptions, 'monitors' | 'checkpoint' | 'best' | 'onEvent' | 'signal'> {
  const { method, settings, checkpointEvery } = experiment;
  const monitors = monitorsOf(experiment, data);
  const chanceLoss = method.chanceLoss?.(data.train);
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
      if (['finished', 'interrupted', 'failed'].includes(event.kind)) await chart.finish();
    },
    signal: interruptSignal(),
  };
}

/** kNN if there are classes, collapse, and alignment of views. */
function monitorsOf(experiment: PretrainExperiment, { bank, heldOut }: PretrainingData): Monitor[] {
  const { method, settings, neighbors, scale } = experiment;
  // At smoke scale all that pages show has to happen within seconds.
  const everySteps =
    scale === 'smoke' ? experiment.monitorEvery : stepsBetweenEvaluations(experiment, { bank, heldOut });
  const shared = { everySteps, features: new MonitoredFeatures(interruptSignal()) };
  const collapse = collapseMonitor({ ...shared, patches: heldOut });
  const views = { patches: heldOut, views: method.views[0]!, key: key(settings.seed).fold('alignment') };
  const always = [collapse, alignmentMonitor({ ...views, ...shared })];
  if (!bank) return always;
  // As the comparison at the end: of a few patches all vote.
  const most = Math.min(neighbors, bank.count);
  return [accuracyMonitor({ ...shared, bank, queries: heldOut, neighbors: most }), ...always];
}
