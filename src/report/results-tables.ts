import {
  type ComparedGroup,
  paperNumbers,
  type ResultGroup,
  type ResultRun,
  type Results,
  resultTasks,
} from '../experiments/index.js';
import type { Run } from '../runs/index.js';
import { showChart } from './chart.js';
import {
  columnNames,
  estimate,
  headingOf,
  headingsOf,
  inRowOrder,
  pageLinks,
  pValue,
  runsOf,
} from './results-cells.js';
import { resultsChart } from './results-charts.js';
import { besidePaper, cellOf, paperNotes } from './results-paper.js';
import { resultsFrame } from './results-table.js';
import { sayInstead } from './say-instead.js';
import { showTable } from './table.js';

/** Of a table of results, without the paper's. */
const maxColumns = 3;

/** Shows each column's values with their intervals beside the paper's: a chart, and a table for each scale. */
export async function showResults(
  run: Run,
  { runs }: Results,
  compared: readonly ComparedGroup[],
  { save }: { save?: string } = {},
): Promise<void> {
  for (const { group } of compared) await run.emit({ kind: 'column compared', column: headingOf(group), id: group.id });
  const chart = resultsChart(compared);
  await showChart(chart.spec, { alt: chart.alt, save });
  const links = pageLinks(run, runs);
  for (const { caption, rows } of resultTables(compared)) {
    await showTable(await resultsFrame(rows), { caption, links });
  }
  const unknown = Object.keys(resultTasks).filter((notebook) => !hasPaperNumbers(notebook));
  await sayInstead(...unknown.map((notebook) => `No number of the paper on ${resultTasks[notebook]} is known here.`));
  await sayInstead(...paperNotes(compared));
  const frozen = frozenRows(runs);
  if (frozen.length > 0)
    await showTable(frozen, { caption: 'Frozen features: kNN accuracy on held-out patches, %', links });
}

/** What pretraining pages found, in columns of their scales' own. */
function frozenRows(runs: readonly ResultRun[]): Record<string, string>[] {
  return runs.flatMap(({ id, notebook, scale, metrics, provenance }) => {
    const words = (end: string) => {
      const found = metrics.find(({ name }) => name.startsWith('kNN accuracy, ') && name.endsWith(end));
      if (!found) return '–';
      const { value, interval } = found;
      return interval
        ? `${value.toFixed(1)} (${interval[0].toFixed(1)} to ${interval[1].toFixed(1)})`
        : value.toFixed(1);
    };
    if (words(' pretrained') === '–') return [];
    const [seed, data] = [String(provenance.seed), provenance.data.map(({ name }) => name).join(', ')];
    return [
      {
        ...{ Notebook: notebook, Scale: scale, Seed: seed, Data: data, Pretrained: words(' pretrained') },
        ...{ 'Random weights': words('random initialization'), 'Color histogram': words('color histogram'), Run: id },
      },
    ];
  });
}

/** Rows of the tables: the paper's numbers, and then some columns of a scale at a time. */
export function resultTables(
  compared: readonly ComparedGroup[],
): { caption: string; rows: Record<string, string>[] }[] {
  const scales = [...new Set(compared.map(({ group }) => group.scale))];
  const tables = scales.flatMap((scale) => {
    const own = compared.filter(({ group }) => group.scale === scale);
    return Array.from({ length: Math.ceil(own.length / maxColumns) }, (_, part) => ({
      caption: `At ${scale} scale, beside the paper: mean over trainings (95 % interval over test patients) and the runs`,
      rows: armRows(own.slice(part * maxColumns, (part + 1) * maxColumns), headingsOf(compared)),
    }));
  });
  return [{ caption: 'The paper, paper scale', rows: paperRows() }, ...tables];
}

function paperRows(): Record<string, string>[] {
  return paperNumbers.map(({ notebook, pretraining, network, metric, value, where }) => ({
    Pretraining: pretraining,
    Task: resultTasks[notebook]!,
    Network: network,
    Metric: metric,
    '%, paper scale': String(value),
    From: where,
  }));
}

const hasPaperNumbers = (notebook: string) => paperNumbers.some((each) => each.notebook === notebook);

function armRows(columns: readonly ComparedGroup[], heading: (group: ResultGroup) => string): Record<string, string>[] {
  return inRowOrder([...new Set(columns.flatMap(({ group }) => Object.keys(group.arms)))]).map((arm) => ({
    Pretraining: arm,
    ...Object.fromEntries(
      columns.flatMap((column) => [
        ...besidePaper(column, arm, heading(column.group)),
        [heading(column.group), cellOf(column, arm, column.group.experiment.task.main)],
      ]),
    ),
  }));
}

/** Shows the differences against random and ImageNet weights on the same patients, and the spread by source. */
export async function showResultDifferences(
  run: Run,
  { runs }: Results,
  compared: readonly ComparedGroup[],
): Promise<void> {
  const links = pageLinks(run, runs);
  for (const scale of new Set(compared.map(({ group }) => group.scale))) {
    const own = compared.filter(({ group }) => group.scale === scale);
    const differences = differenceRows(own);
    if (differences.length > 0) {
      await showTable(await resultsFrame(differences), {
        caption: `Differences, ${scale} scale, percentage points`,
        links,
      });
    }
    await showTable(await resultsFrame(spreadRows(own)), {
      caption: `Standard deviations by source, ${scale} scale, percentage points`,
      links,
    });
    await sayInstead(...notesOf(own));
  }
  if (compared.length === 0) await sayInstead('There are no fine-tunings to compare.');
}

export function differenceRows(compared: readonly ComparedGroup[]): Record<string, string>[] {
  const nameOf = columnNames(compared);
  return compared.flatMap(({ group, comparison }) =>
    comparison.differences.map(({ arm, against, value, interval, p, adjustedP }) => ({
      Column: nameOf(group),
      Comparison: `${arm} minus ${against}`,
      'Difference (95 % interval)': estimate(value.value, interval, '+'),
      p: pValue(p.value),
      'Adjusted p': p.value === null ? '–' : pValue(adjustedP),
      Runs: runsOf(group, arm, against),
    })),
  );
}

function spreadRows(compared: readonly ComparedGroup[]): Record<string, string>[] {
  const nameOf = columnNames(compared);
  const units = compared.every(({ group }) => group.cases.unit === 'patients')
    ? 'Patients'
    : 'Patients, slides or patches';
  return compared.flatMap(({ group, comparison }) =>
    comparison.values
      .filter(({ metric }) => metric === group.experiment.task.main)
      .map(({ arm, runs, spread }) => ({
        Column: nameOf(group),
        Pretraining: arm,
        Trainings: String(runs),
        [units]: estimate(spread.patients),
        'Pretraining seeds': estimate(spread.pretraining.value),
        'Fine-tuning seeds': estimate(spread.fineTuning.value),
        'All trainings': estimate(spread.runs.value),
        Runs: runsOf(group, arm),
      })),
  );
}

/** What must be said below: of p-values once, and of columns what is said of all of them alike once too. */
function notesOf(compared: readonly ComparedGroup[]): string[] {
  const nameOf = columnNames(compared);
  const scale = compared[0]!.group.scale;
  const all = compared.flatMap(({ comparison }) => comparison.differences).filter(({ p }) => p.value !== null);
  const tests = new Set(all.flatMap(({ test }) => test ?? []));
  const tested =
    all.length === 0
      ? []
      : [
          `Two-sided p-values: ${[...tests].join('; ')}; adjusted by Holm over all ${all.length} differences of the ${scale} ` +
            'scale that have one, the family that is named above.',
        ];
  return [
    ...tested,
    ...compared.flatMap(({ group, comparison }) => comparison.notes.map((note) => `${nameOf(group)}: ${note}`)),
  ];
}
