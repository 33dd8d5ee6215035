import { interruptSignal } from '../base/index.js';
import {
  type CompileDatasetOptions,
  type CompiledDataset,
  compileDataset,
  type SlideDataset,
} from '../datasets/index.js';
import { type CompileExperiment, type ExperimentDataset, experimentDataset } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { withProgress } from './progress.js';

/**
 * The slides of a compile experiment, with progress while synthetic ones are drawn; the kernel's interrupt stops it.
 */
export function prepareDataset(experiment: CompileExperiment): Promise<ExperimentDataset> {
  return withProgress('synthetic slides', (onProgress) =>
    experimentDataset(experiment, { onProgress, signal: interruptSignal() }),
  );
}

/**
 * Compiles a dataset with progress on the page and each slide in the run's events. The kernel's interrupt stops it;
 * running it again keeps finished shards.
 *
 * @param dataset `data` as `compileDataset` takes it
 * @throws as `compileDataset`
 */
export async function compileWithProgress(
  run: Run,
  dataset: SlideDataset & { data?: string },
  options: Pick<CompileDatasetOptions, 'seed' | 'workers'> = {},
): Promise<CompiledDataset> {
  const { unit } = dataset.definition;
  return withProgress(unit === 'slides' ? unit : 'shards', async (report) => {
    if (unit === 'slides') report(0, dataset.slides.length);
    let kept = 0;
    const compiled = await compileDataset(dataset, {
      ...options,
      data: dataset.data,
      onProgress: (event) => {
        if (event.outcome === 'already present') kept++;
        report(event.done, event.total, kept > 0 ? `${kept} already present` : undefined);
        void run.emit({ kind: 'slide', ...event });
      },
      signal: interruptSignal(),
    });
    const { dataset: name, counts, failures } = compiled.report;
    await run.emit({ kind: 'compiled', dataset: name, patches: counts.patches, failures: failures.length });
    return compiled;
  });
}
