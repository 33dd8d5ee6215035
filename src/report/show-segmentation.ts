import { interruptSignal } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import { type ArmComparison, groupsOf, type SegmentedCases, segmentationReport } from '../evaluate/index.js';
import {
  type FineTuneData,
  type FineTuneExperiment,
  type FineTuneRun,
  type FineTuneRuns,
  modelFolder,
  patchesInOrder,
  readModel,
} from '../experiments/index.js';
import { PatchSegmenter, type PredictedClass, type SegmentedPatch, unlabelled } from '../finetune/index.js';
import { readImages } from '../input/index.js';
import type { ModelTensors } from '../models/index.js';
import type { Run } from '../runs/index.js';
import { firstRuns } from './finetune-results.js';
import { type GridImage, showImageGrid } from './image-grid.js';
import { patchCaption } from './show-patches.js';
import { maskColor } from './style.js';
import { showTable } from './table.js';

/** The run that is looked at closely: of the arm with the highest value, the one whose model is kept. */
export function bestFineTuning<Results extends SegmentedCases>(
  { task: { main } }: FineTuneExperiment<Results>,
  { runs }: Pick<FineTuneRuns<Results>, 'runs'>,
  { values }: ArmComparison,
): FineTuneRun & { results: Results } {
  const meanOf = (of: string) => values.find(({ arm, metric }) => arm === of && metric === main)?.value.value ?? -1;
  return firstRuns(runs).reduce((best, run) => (meanOf(run.arm) > meanOf(best.arm) ? run : best));
}

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
 * Shows test patches of as many patients as possible, each with its mask, the prediction of a run's model, and its errors:
 * wrong pixels in the color of the class that is predicted there, right ones gray, ignored ones white.
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
  const images: GridImage[] = [];
  await withModel(run, best, async (model) => {
    const { method, settings, testTime } = experiment;
    const view = { size: source.size, crop: settings.evaluationCrop, colors: method.backbone.colors };
    const segmenter = new PatchSegmenter({ method, view, testTime });
    const pixels = readImages(source);
    try {
      const patches: SegmentedPatch[] = [];
      for await (const patch of segmenter.segment(model, source, { signal: interruptSignal() })) patches.push(patch);
      const bytes: Uint8Array[] = [];
      for await (const batch of pixels) bytes.push(batch);
      const all = Buffer.concat(bytes);
      for (const [place, patch] of patches.entries()) {
        const { row, width, height, predicted, mask } = patch;
        const size = 3 * width * height;
        const painted = (values: Uint8Array) => ({ pixels: paint(values), width, height });
        const right = patch.mask.filter((label, px) => label === predicted[px]).length;
        const counted = mask.filter((label) => label !== unlabelled).length;
        images.push(
          { pixels: all.subarray(place * size, (place + 1) * size), width, height, ...patchCaption(data.dataset, row) },
          { ...painted(mask), caption: 'mask' },
          { ...painted(predicted), caption: 'prediction' },
          { pixels: errors(patch), width, height, caption: `errors: ${percentOf(counted - right, counted)}` },
        );
      }
    } finally {
      segmenter.dispose();
    }
  });
  await showImageGrid(images, {
    ...{ columns: 8, cell: 100, save },
    title: `Test patches of different patients: ${best.arm}`,
    alt: `${images.length / 4} test patches, each with its mask, what ${best.arm} predicts, and the wrong pixels`,
  });
}

/** Runs with a kept model, which is disposed of afterwards. */
export async function withModel<Result>(run: Run, of: FineTuneRun, use: (model: ModelTensors) => Promise<Result>) {
  const model = await readModel(modelFolder(run, of));
  try {
    return await use(model);
  } finally {
    disposeTensors(model.parameters, model.state);
  }
}

/** Test patches, of a patient after the other in turn; of each patient those in the middle of its list first. */
function rowsOfPatients({ test }: FineTuneData, count: number): Int32Array {
  const byPatient = new Map<string, number[]>();
  for (const [place, name] of groupsOf(test).names.entries()) {
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

const bytesOf = (number: number) => Buffer.from(maskColor(number).slice(1), 'hex');
const [white, gray] = [Buffer.from('ffffff', 'hex'), Buffer.from('d5dae0', 'hex')];

/** Classes as RGB; what has none is white. */
function paint(values: Uint8Array): Buffer {
  return Buffer.concat(Array.from(values, (value) => (value === unlabelled ? white : bytesOf(value))));
}

function errors({ predicted, mask }: SegmentedPatch): Buffer {
  const colorAt = (px: number) => {
    if (mask[px] === unlabelled) return white;
    return mask[px] === predicted[px] ? gray : wrong(predicted[px]!);
  };
  return Buffer.concat(Array.from(mask, (_, px) => colorAt(px)));
}

/** White, of background, would not be seen. */
const wrong = (number: number) => (maskColor(number) === '#ffffff' ? Buffer.from('1f2933', 'hex') : bytesOf(number));

const percentOf = (part: number, all: number) => (all === 0 ? 'none counted' : `${((100 * part) / all).toFixed(1)} %`);
