import { interruptSignal } from '../base/index.js';
import { groupsOf, type SegmentedCases, segmentationReport } from '../evaluate/index.js';
import { type FineTuneData, type FineTuneExperiment, type FineTuneRun, patchesInOrder } from '../experiments/index.js';
import { PatchSegmenter, type PredictedClass, type SegmentedPatch, unlabelled } from '../finetune/index.js';
import type { Run } from '../runs/index.js';
import { withModel } from './finetune-results.js';
import { showSegmentation } from './show-segmentation.js';
import { maskColor } from './style.js';
import { showTable } from './table.js';

/** What a network predicts, with the colors of masks. */
export function maskClasses({ dataset: { classNames } }: Pick<FineTuneData, 'dataset'>): PredictedClass[] {
  return classNames.map((name, number) => ({ name, color: maskColor(number) }));
}

/** Shows a run's metrics class by class, over all test patches; a class that is in no mask and not predicted has none. */
export async function showSegmentedClasses({ arm, name, results }: FineTuneRun & { results: SegmentedCases }) {
  const { classes } = segmentationReport(results);
  const pixels = classes.reduce((sum, of) => sum + of.pixels, 0);
  await showTable(
    classes.map((of) => ({ ...of, share: of.pixels / pixels })),
    {
      caption: `Class by class: ${arm}, ${name}`,
      columns: { class: 'Class', share: 'Share of pixels', iou: 'IoU', dice: 'Dice', boundaryF1: 'Boundary F1' },
      format: {
        share: (share: number) => `${(100 * share).toFixed(1)} %`,
        ...Object.fromEntries(['iou', 'dice', 'boundaryF1'].map((column) => [column, decimals])),
      },
    },
  );
}

const decimals = (value: number | null) => (value === null ? '–' : value.toFixed(3));

/**
 * Shows test patches of as many patients as possible, each with its mask, the prediction of a run's model, and its errors.
 *
 * @param options.count of patches
 * @param options.save also writes the image to this PNG file
 */
export async function showSegmentedPatches(
  run: Run,
  experiment: FineTuneExperiment<SegmentedCases>,
  data: FineTuneData,
  best: FineTuneRun,
  { count = 6, save }: { count?: number; save?: string } = {},
): Promise<void> {
  const source = patchesInOrder(experiment, data, rowsOfPatients(data, count));
  const { method, settings, testTime } = experiment;
  const view = { size: source.size, crop: settings.evaluationCrop, colors: method.backbone.colors };
  const patches: SegmentedPatch[] = [];
  await withModel(run, best, async (model) => {
    const segmenter = new PatchSegmenter({ method, view, testTime });
    try {
      for await (const patch of segmenter.segment(model, source, { signal: interruptSignal() })) patches.push(patch);
    } finally {
      segmenter.dispose();
    }
  });
  const title = `Test patches${data.by === 'patches' ? '' : ` of different ${data.by}`}: ${best.arm}`;
  await showSegmentation(data.dataset, patches, { ignored: unlabelled, title, save });
}

/** Test patches, of a patient after the other in turn; of each patient those in the middle of its list first. */
function rowsOfPatients({ test, by }: FineTuneData, count: number): Int32Array {
  const byPatient = new Map<string, number[]>();
  for (const [place, name] of groupsOf(test, by).names.entries()) {
    byPatient.set(name, [...(byPatient.get(name) ?? []), test.rows[place]!]);
  }
  const lists = [...byPatient.values()].map((rows) => [
    ...rows.slice(rows.length >> 1),
    ...rows.slice(0, rows.length >> 1),
  ]);
  const longest = Math.max(...lists.map(({ length }) => length));
  const inTurn = Array.from({ length: longest }, (_, turn) => lists.flatMap((rows) => rows[turn] ?? [])).flat();
  return Int32Array.from(inTurn.slice(0, count));
}
