import { interruptSignal } from '../base/index.js';
import type { SegmentedCases } from '../evaluate/index.js';
import type { FineTuneData, FineTuneExperiment, FineTuneRun } from '../experiments/index.js';
import { predictedViews, segmentSlide } from '../finetune/index.js';
import type { Run } from '../runs/index.js';
import { openSlide } from '../slides/index.js';
import { showText } from './display.js';
import { showFigure } from './figure.js';
import { withModel } from './finetune-results.js';
import { progress } from './progress.js';
import { maskClasses } from './show-segmented.js';
import { showTable } from './table.js';

/**
 * Segments a whole slide of a test patient with a run's model, window by window, and shows it. A label image
 * (`segmentation/NAME.tif`), outlines that QuPath opens (`.geojson`) and the overlay (`.png`) go into the run's folder. Of data
 * whose slides are not here it says so.
 */
export async function segmentTestSlide(
  run: Run,
  { method, batchSize, testTime }: FineTuneExperiment<SegmentedCases>,
  data: FineTuneData,
  best: FineTuneRun,
): Promise<void> {
  const { dataset, test, slides } = data;
  const tested = new Set(Array.from(test.rows, (row) => dataset.slides.names[dataset.slides.codes[row]!]!));
  const record = slides.find(({ id }) => tested.has(id));
  const { geometry } = dataset.report.settings;
  if (!record || !('micrometers' in geometry)) {
    showText(
      'No slide is segmented: these data are patches, or the slides of the test patients are not on this machine.',
    );
    return;
  }
  const slide = await openSlide(record.path, { mpp: record.mpp, mppFrom: record.mppFrom });
  try {
    const file = (end: string) => run.file(`segmentation/${record.id}.${end}`);
    let bar: ReturnType<typeof progress> | undefined;
    const classes = maskClasses(data);
    const view = { size: test.size, colors: method.backbone.colors };
    const segmented = await withModel(run, best, (model) =>
      segmentSlide(slide, (images) => predictedViews({ method, model, view }, images, testTime), {
        classes,
        geometry: { ...geometry, pixels: test.size },
        batchSize: Math.min(batchSize, 16),
        files: { labels: file('tif'), polygons: file('geojson'), overlay: file('png') },
        polygons: { omit: classes.filter(({ name }) => name === 'background').map(({ name }) => name) },
        onProgress(done, total) {
          bar ??= progress('windows', total);
          bar.update(done);
          if (done === total) bar.finish();
        },
        signal: interruptSignal(),
      }),
    );
    const { width, height, umPerPixel, windows, polygons } = segmented;
    await showFigure(segmented.overlay, {
      alt: `${record.id}, a slide of a test patient, tinted by the class that ${best.arm} predicts`,
      save: run.figure('slide.png'),
    });
    await showTable(
      segmented.classes.map(({ name, squareMillimeters }) => ({ name, area: squareMillimeters.toFixed(3) })),
      {
        caption:
          `${record.id}${slide.synthetic ? ' (SYNTHETIC)' : ''}: ${windows} windows, ${width} x ${height} px of ` +
          `${umPerPixel.toFixed(2)} um, ${polygons} areas`,
        columns: { name: 'Class', area: 'Area, mm2' },
      },
    );
  } finally {
    await slide.close();
  }
}
