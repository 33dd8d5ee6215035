import { from } from 'arquero';
import { writeFileAtomic } from '../base/index.js';
import { escapeLatex, latexTable } from '../evaluate/index.js';
import { type ComparedGroup, nameOf, papersMetric, type Results, resultTasks } from '../experiments/index.js';
import type { Metric, Run } from '../runs/index.js';
import { armValue, columnNames, headingOf, runsOf } from './results-cells.js';
import { costRows } from './results-cost.js';
import { paperOf } from './results-paper.js';
import { differenceRows, resultTables } from './results-tables.js';
import { sayInstead } from './say-instead.js';
import { showTable } from './table.js';

/** Shows the cells that are missing at a scale, with the commands that make them. */
export async function showMissing({ missing, scale }: Results): Promise<void> {
  if (missing.length === 0) return sayInstead(`No cell is missing at ${scale} scale.`);
  await showTable(
    missing.map(({ pretraining, on, commands }) => ({ pretraining, on, commands: commands.join(' && ') })),
    { caption: `Missing at ${scale} scale`, columns: { pretraining: 'Pretraining', on: 'On', commands: 'Commands' } },
  );
  if (missing.some(({ commands }) => commands.some((command) => command.includes('FILE')))) {
    await sayInstead(
      'FILE stands for weights that are not brought here: a safetensors or PyTorch file of the network.',
    );
  }
}

/** Writes the tables as CSV and LaTeX into the run's folder, and collects what the run keeps beside them, for `run.keep`. */
export async function resultsFacts(run: Run, results: Results, compared: readonly ComparedGroup[]) {
  const csv = (name: string, of: readonly object[]) => writeFileAtomic(run.file(name), `${from([...of]).toCSV()}\n`);
  await csv('results.csv', compared.flatMap(valueRows));
  await csv('differences.csv', compared.flatMap(numericDifferences));
  await csv('costs.csv', costRows(results.runs, compared));
  const tables = [...resultTables(compared).map((table) => table.rows), differenceRows(compared)].filter(
    (each) => each.length > 0,
  );
  const notes = compared.flatMap(({ group, comparison }) =>
    comparison.notes.map((note) => `${headingOf(group)}: ${note}`),
  );
  await writeFileAtomic(
    run.file('results.tex'),
    `${[...tables.map(latexTable), ...notes.map(escapeLatex)].join('\n\n')}\n`,
  );
  await run.emit({ kind: 'tables written', columns: compared.length });
  return {
    data: results.runs.map(({ folder, notebook, id, digest, provenance }) => ({
      ...{ name: `${notebook} ${id}`, folder: nameOf(folder), sha256: digest },
      synthetic: provenance.data.some(({ synthetic }) => synthetic === true),
    })),
    metrics: resultsMetrics(results, compared),
  };
}

/** An arm's numbers, not rounded; shares, and the paper's percentages. */
function valueRows({ group, comparison }: ComparedGroup) {
  const { cases, data, experiment } = group;
  const { unit, sites, labelled, available } = cases;
  const column = {
    ...{ task: resultTasks[group.notebook]!, scale: group.scale, network: experiment.method.backbone.name },
    ...{ data: data.name, dataSha256: data.sha256, synthetic: data.synthetic, labelled, available, unit },
  };
  return comparison.values.map(({ arm, metric, value, interval, runs, spread }) => ({
    ...{ ...column, units: sites.length, pretraining: arm, metric },
    ...{ value: value.value, low: interval?.low ?? null, high: interval?.high ?? null, trainings: runs },
    ...{ unitsDeviation: spread.patients, pretrainingDeviation: spread.pretraining.value },
    fineTuningDeviation: spread.fineTuning.value,
    paperPercent: metric === papersMetric(experiment.task) ? (paperOf(group, arm) ?? null) : null,
    runs: runsOf(group, arm),
  }));
}

function numericDifferences({ group, comparison }: ComparedGroup) {
  return comparison.differences.map(({ arm, against, metric, value, interval, p, adjustedP, test }) => ({
    ...{ task: resultTasks[group.notebook], scale: group.scale, labelled: group.cases.labelled, arm, against, metric },
    ...{ value: value.value, low: interval?.low ?? null, high: interval?.high ?? null },
    ...{ p: p.value, adjustedP: p.value === null ? null : adjustedP, test, runs: runsOf(group, arm, against) },
  }));
}

/** What the gallery shows: how much there is, and the values of the page's scale. */
function resultsMetrics({ runs, missing, scale }: Results, compared: readonly ComparedGroup[]): Metric[] {
  const cells = missing.reduce((count, { on }) => count + on.length, 0);
  const own = compared.filter(({ group }) => group.scale === scale && group.cases.labelled === group.cases.available);
  const nameOfColumn = columnNames(own);
  return [
    { name: 'runs in the tables', value: runs.length },
    { name: `missing cells at ${scale} scale`, value: cells },
    ...own.flatMap((column) =>
      Object.keys(column.group.arms).flatMap((arm): Metric[] => {
        const found = armValue(column, arm, column.group.experiment.task.main)!;
        if (found.value.value === null) return [];
        return [
          {
            name: `${nameOfColumn(column.group).replace(' %', '')}, ${arm}`,
            value: 100 * found.value.value,
            ...(found.interval && { interval: [100 * found.interval.low, 100 * found.interval.high] as const }),
            unit: '%',
            about: `${headingOf(column.group)}; runs ${runsOf(column.group, arm)}`,
          },
        ];
      }),
    ),
  ];
}
