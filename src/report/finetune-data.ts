import type { PatientResults } from '../evaluate/index.js';
import { groupsOf } from '../evaluate/index.js';
import { type FineTuneData, type FineTuneExperiment, fineTuningData } from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { escapeMarkup } from './html.js';
import { showImageGrid } from './image-grid.js';
import { heldOutShare, openingData } from './pretraining-data.js';
import { display, html } from './show.js';
import { maskLegend, patchGridImages, sampleRows } from './show-patches.js';
import { showTable } from './table.js';

/** Opens the data of an experiment (see `fineTuningData`), with progress of drawing and cutting. */
export async function openFineTuningData<Results extends PatientResults>(
  experiment: FineTuneExperiment<Results>,
  run: Run,
): Promise<FineTuneData> {
  const data = await fineTuningData(experiment, openingData());
  await run.emit({ kind: 'data', understood: data.understood, split: data.split.sha256 });
  return data;
}

/**
 * Shows the patches of a fine-tuning: how they were interpreted, some to train on, and the folds and test patients; of several
 * draws of labels, the first seed's.
 */
export async function showFineTuningData(data: FineTuneData, options: { save?: string } = {}): Promise<void> {
  const { dataset, understood, split, ofPretraining, by, labelled, available, test } = data;
  const folds = [...data.folds.values()][0]!;
  const isClassed = dataset.labels.some((label) => label >= 0);
  const used =
    labelled === available
      ? `Labels of all ${available} training ${by} are used.`
      : `Labels of ${labelled} of ${available} training ${by} are used, drawn at random` +
        `${isClassed ? ', but so that each class is among them' : ''}` +
        `${data.folds.size > 1 ? ', others for each seed; those of the first are shown' : ''}.`;
  const alsoThere = ofPretraining ? ', and held out by the pretraining pages' : '';
  const sentences = [...understood, ...split.notes, used];
  await display(html(`<p>${sentences.map(escapeMarkup).join(' ')}</p>`));
  const images = await patchGridImages(dataset, sampleRows(dataset, 10, folds[0]!.train));
  const flat = images.flat();
  await showImageGrid(flat, {
    columns: Math.min(images[0]!.length === 2 ? 6 : 5, flat.length),
    cell: 150,
    legend: images[0]!.length === 2 ? maskLegend(dataset) : [],
    alt: `${images.length} labelled patches of ${dataset.report.dataset} from the training ${by}`,
    save: options.save,
  });
  const numbered = (name: string, fold: number) => (folds.length > 1 ? `fold ${fold + 1}, ${name}` : name);
  const parts = folds.flatMap(({ train, validation }, fold): [string, Int32Array][] => [
    [numbered('to train on', fold), train],
    ...(validation.length > 0 ? ([[numbered('for validation', fold), validation]] as [string, Int32Array][]) : []),
  ]);
  await showTable(
    [...parts, ['test', test.rows] as const].map(([part, rows]) => ({
      part,
      groups: new Set(groupsOf({ dataset, rows }, by).names).size,
      patches: rows.length,
      classes: classCounts(data, rows),
    })),
    {
      caption: `Test ${by}, ${heldOutShare(split)}: ${split.by === 'given' ? 'given by the data' : `the same in all folds${alsoThere}`}`,
      columns: {
        part: 'Part',
        groups: by.replace(/^./, (first) => first.toUpperCase()),
        patches: 'Patches',
        classes: 'of each class',
      },
    },
  );
}

function classCounts({ dataset: { classNames, labels } }: FineTuneData, rows: Int32Array): string {
  const counts = classNames.map((name, label) => ({ name, count: rows.filter((row) => labels[row] === label).length }));
  if (counts.every(({ count }) => count === 0)) return '–';
  if (counts.length > 4) {
    const all = counts.map(({ count }) => count);
    const [least, most] = [Math.min(...all), Math.max(...all)];
    return least === most ? String(most) : `${least} to ${most}`;
  }
  return counts.map(({ name, count }) => `${name} ${count}`).join(', ');
}
