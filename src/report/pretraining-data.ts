import { interruptSignal } from '../base/index.js';
import type { PatchSplit } from '../datasets/index.js';
import { groupsOf } from '../evaluate/index.js';
import {
  type OpenDataWatch,
  type PretrainExperiment,
  type PretrainingData,
  pretrainingData,
} from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { percent } from './charts.js';
import { escapeMarkup } from './html.js';
import { showImageGrid } from './image-grid.js';
import { type Progress, progress } from './progress.js';
import { display, html } from './show.js';
import { patchGridImages, sampleRows } from './show-patches.js';
import { showTable } from './table.js';

/** Progress of drawing and cutting, for data that are opened. */
export function openingData(): OpenDataWatch {
  const bars = new Map<string, Progress>();
  const show = (title: string, done: number, total: number) => {
    let bar = bars.get(title);
    if (!bar) {
      bar = progress(title, total);
      bars.set(title, bar);
    }
    bar.update(done);
    if (done === total) bar.finish();
  };
  return {
    onDraw: (done, total) => show('synthetic slides drawn', done, total),
    onCompile: ({ done, total }) => show('compiled', done, total),
    signal: interruptSignal(),
  };
}

/** `33.3 % of the patches` */
export function heldOutShare({ train, heldOut }: PatchSplit): string {
  return `${percent(heldOut.length / (train.length + heldOut.length))} of the patches`;
}

/** Opens the data of an experiment (see `pretrainingData`), with progress of drawing and cutting. */
export async function openPretrainingData(experiment: PretrainExperiment, run: Run): Promise<PretrainingData> {
  const data = await pretrainingData(experiment, openingData());
  await run.emit({ kind: 'data', understood: data.understood, split: data.split.sha256, storage: data.train.storage });
  return data;
}

/** Shows the training data: how the data were interpreted, patches of each class, and the split with its notes. */
export async function showPretrainingData(data: PretrainingData, options: { save?: string } = {}): Promise<void> {
  const { dataset, understood, split, train, heldOut } = data;
  const sentences = [...understood, ...split.notes, `In training: ${train.storage}.`];
  await display(html(`<p>${sentences.map(escapeMarkup).join(' ')}</p>`));
  const rows = sampleRows(dataset, 10, split.train);
  const images = (await patchGridImages(dataset, rows)).map(([image]) => image!);
  await showImageGrid(images, {
    columns: Math.min(5, rows.length),
    cell: 150,
    alt: `${rows.length} patches of ${dataset.report.dataset} from the training split, as its shards hold them`,
    save: options.save,
  });
  const parts = { 'to train on': split.train, 'held out': split.heldOut };
  await showTable(
    Object.entries(parts).map(([part, patches]) => ({
      part,
      groups: new Set(groupsOf({ dataset, rows: patches }).names).size,
      patches: patches.length,
      labelled: patches.filter((row) => dataset.labels[row]! >= 0).length,
      size: part === 'held out' ? heldOut.size : train.size,
    })),
    {
      caption: `Split ${split.by === 'given' ? 'given by the data' : `by ${split.by}`}, held out: ${heldOutShare(split)}`,
      columns: {
        part: 'Part',
        groups: groupsOf({ dataset, rows: split.train }).of.replace(/^./, (first) => first.toUpperCase()),
        patches: 'Patches',
        labelled: 'with a class',
        size: 'Decoded size, px',
      },
    },
  );
}
