import type { ClassifiedCases } from '../evaluate/index.js';
import {
  type ComparedGroup,
  type KeptCost,
  type ResultRun,
  type Results,
  readCosts,
  resultTasks,
} from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { duration } from './progress.js';
import { armValue, columnNames, estimate, pageLinks, runsOf } from './results-cells.js';
import { sayInstead } from './say-instead.js';
import { showReliability } from './show-reliability.js';
import { palette } from './style.js';
import { formatValue, showTable } from './table.js';

/** Of reliability. */
const maxDiagrams = 4;

/** Shows calibration errors, and the reliability of each arm's first training in a scale's columns of all labels. */
export async function showCalibration(
  run: Run,
  { runs, scale }: Results,
  compared: readonly ComparedGroup[],
): Promise<void> {
  const classified = compared.filter(({ group }) => !group.experiment.task.masks);
  if (classified.length === 0) return sayInstead('No column is of a classification, and so none has a calibration.');
  const nameOf = columnNames(classified);
  await showTable(
    classified.flatMap((column) =>
      Object.keys(column.group.arms).map((arm) => {
        const { value, interval } = armValue(column, arm, 'calibrationError')!;
        return {
          Column: nameOf(column.group).replace(/,[^,]* %,/, ','),
          Pretraining: arm,
          'Expected calibration error %': estimate(value.value, interval),
          Runs: runsOf(column.group, arm),
        };
      }),
    ),
    { caption: 'Calibration (lower is better)', links: pageLinks(run, runs) },
  );
  const drawn = classified.filter(
    ({ group: { scale: own, cases } }) => own === scale && cases.labelled === cases.available,
  );
  if (drawn.length > maxDiagrams) await sayInstead(`Diagrams of the first ${maxDiagrams} of ${drawn.length} columns.`);
  for (const { group } of drawn.slice(0, maxDiagrams)) {
    const first = Object.entries(group.arms).slice(0, palette.length);
    const arms = Object.fromEntries(first.map(([arm, [training]]) => [arm, training!.results as ClassifiedCases]));
    await showReliability(arms, { title: `Reliability, ${resultTasks[group.notebook]}, ${group.scale} scale` });
  }
}

/** Shows what trainings cost, as their runs measured it. */
export async function showResultCosts(run: Run, { runs }: Results, compared: readonly ComparedGroup[]): Promise<void> {
  const links = pageLinks(run, runs);
  const rows = costRows(runs, compared);
  if (rows.length === 0) return sayInstead('There are no trainings.');
  await showTable(
    rows.map(({ seconds, images, imagesPerSecond, memoryGibibytes, joules, ...row }) => ({
      ...row,
      time: duration(seconds),
      images: `${images.toLocaleString('en')} (${formatValue(Number(imagesPerSecond.toPrecision(3)))}/s)`,
      memory: memoryGibibytes === null ? 'not measured' : `${memoryGibibytes.toFixed(1)} GiB`,
      energy: joules === null ? 'not measured' : `${(joules / 3600).toPrecision(3)} Wh`,
    })),
    {
      caption: 'Cost of trainings',
      columns: {
        ...{ training: 'Notebook', scale: 'Scale', arm: 'Began with', trainings: 'Trainings', time: 'Time' },
        ...{ images: 'Images', memory: 'Memory', energy: 'Energy', runs: 'Runs' },
      },
      links,
    },
  );
}

/** A row for each pretraining, and for each arm of each column. */
export function costRows(runs: readonly ResultRun[], compared: readonly ComparedGroup[]) {
  const costs = new Map(runs.map((run) => [run, readCosts(run.folder)]));
  const deviceOf = (of: readonly ResultRun[]) =>
    [...new Set(of.map(({ provenance }) => String(provenance.device.name ?? 'not known')))].join(', ');
  const pretrainings = runs.flatMap((run) =>
    costs
      .get(run)!
      .filter(({ name }) => name === 'pretraining')
      .map((cost) => ({
        ...{
          training: run.notebook,
          scale: run.scale,
          arm: run.parameters.init ?? 'random',
          trainings: 1,
          ...total([cost]),
        },
        ...{ device: deviceOf([run]), runs: run.id },
      })),
  );
  const fineTunings = compared.flatMap(({ group }) =>
    Object.entries(group.arms).flatMap(([arm, trainings]) => {
      const found = trainings.flatMap(({ run, name }) => costs.get(run)!.filter((cost) => cost.name === name));
      if (found.length === 0) return [];
      const of = { training: group.notebook, scale: group.scale, arm, trainings: found.length, ...total(found) };
      return [{ ...of, device: deviceOf(trainings.map(({ run }) => run)), runs: runsOf(group, arm) }];
    }),
  );
  return [...pretrainings, ...fineTunings];
}

function total(costs: readonly KeptCost[]) {
  const sum = (of: (cost: KeptCost) => number) => costs.reduce((all, cost) => all + of(cost), 0);
  const [images, seconds] = [sum((cost) => cost.images), sum((cost) => cost.seconds)];
  const training = sum((cost) => cost.seconds - cost.evaluationSeconds);
  const memory = costs.flatMap(({ memoryGibibytes }) => memoryGibibytes ?? []);
  return {
    ...{ images, seconds, imagesPerSecond: training > 0 ? images / training : 0 },
    memoryGibibytes: memory.length > 0 ? Math.max(...memory) : null,
    joules: costs.some(({ joules }) => joules === null) ? null : sum((cost) => cost.joules!),
  };
}
