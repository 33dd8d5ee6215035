import { interruptSignal } from '../base/index.js';
import type { Tensor } from '../engine/index.js';
import type { ClassifiedCases } from '../evaluate/index.js';
import type { FineTuneData, FineTuneExperiment, FineTuneRun } from '../experiments/index.js';
import { classifySlide, predictedViews } from '../finetune/index.js';
import type { Run } from '../runs/index.js';
import { openSlide } from '../slides/index.js';
import { showText } from './display.js';
import { withModel } from './finetune-results.js';
import { withProgress } from './progress.js';
import { showHeatmap } from './show-heatmap.js';

/**
 * Predicts the tiles of a test patient's slide with a run's model, a quarter of a patch apart, and shows the probability of a
 * class over it: of two classes the second, on the slide with the most patches of it; else the slide's own. Says so for data
 * whose slides are not here.
 */
export async function classifyTestSlide(
  run: Run,
  { method, settings, testTime }: FineTuneExperiment<ClassifiedCases>,
  { dataset, slides, test }: FineTuneData,
  best: FineTuneRun,
): Promise<void> {
  const { classNames, labels } = dataset;
  const { geometry } = dataset.report.settings;
  const shown = slides
    .map((record) => {
      const own = test.rows.filter((row) => dataset.slides.names[dataset.slides.codes[row]!] === record.id);
      const counts = classNames.map((_, label) => own.filter((row) => labels[row] === label).length);
      const label = classNames.length === 2 ? 1 : counts.indexOf(Math.max(...counts));
      return { record, label, count: counts[label]! };
    })
    .reduce((most, slide) => (slide.count > most.count ? slide : most), { record: slides[0], label: 0, count: 0 });
  const { record, label, count } = shown;
  if (!record || count === 0 || !('micrometers' in geometry)) {
    showText(
      'No slide is classified: these data are patches, or the slides of the test patients are not on this machine.',
    );
    return;
  }
  const slide = await openSlide(record.path, { mpp: record.mpp, mppFrom: record.mppFrom });
  const view = { size: method.views[0]!.size, crop: settings.evaluationCrop, colors: method.backbone.colors };
  try {
    await withModel(run, best, async (model) => {
      const predict = (images: Tensor) => predictedViews({ method, model, view }, images, testTime);
      const heatmap = await withProgress('tiles of the slide', (onProgress) =>
        classifySlide(slide, predict, {
          ...{ classes: classNames, geometry: { ...geometry, pixels: test.size }, batchSize: 16 },
          strideMicrometers: geometry.micrometers / 4,
          onProgress,
          signal: interruptSignal(),
        }),
      );
      const save = run.figure('heatmap.png');
      await showHeatmap(heatmap, classNames[label]!, { slide: `${record.id}, by ${best.arm}`, save });
    });
  } finally {
    await slide.close();
  }
}
