import { join } from 'node:path';
import { digestOfFile, writeFileAtomic } from '../base/index.js';
import { disposeTensors } from '../engine/index.js';
import {
  type ArmComparison,
  type ClassifiedCases,
  comparisonCsv,
  comparisonLatex,
  comparisonRows,
  type PatientResults,
} from '../evaluate/index.js';
import {
  type Arm,
  costOfTraining,
  costsFile,
  type FineTuneData,
  type FineTuneExperiment,
  type FineTuneRun,
  type FineTuneRuns,
  type KeptCost,
  modelFolder,
  readModel,
  splitName,
  trainingFolder,
} from '../experiments/index.js';
import type { ModelTensors } from '../models/index.js';
import type { Metric, Run } from '../runs/index.js';
import { showChart } from './chart.js';
import { intervalChart } from './charts.js';
import { escapeMarkup } from './html.js';
import { display, html } from './show.js';
import { palette } from './style.js';
import { showTable } from './table.js';

/**
 * Shows what arms were worth: the main metric with intervals as a chart, all metrics, the differences of the family, the
 * spread by source, and below what must be said of them.
 *
 * @param options.main the metric of the chart
 * @param options.save also writes the chart to this PNG file
 * @param options.table also writes all numbers to a CSV and a LaTeX file, of this path and `.csv` or `.tex`
 */
export async function showFineTunings(
  comparison: ArmComparison,
  { main, save, table }: { main: string; save?: string; table?: string },
): Promise<void> {
  const { metrics, groups, values, notes } = comparison;
  const units = `${groups.count} ${groups.of}`;
  const rows = values.flatMap(({ arm: name, metric, value, interval }) =>
    metric === main && value.value !== null
      ? [{ name, value: value.value, low: interval?.low, high: interval?.high }]
      : [],
  );
  const chart = intervalChart(rows, {
    title: `${metrics[main]} on test ${groups.of}`,
    subtitle: values.some(({ interval }) => interval)
      ? `95 % intervals over ${units}`
      : `${units}, too few for intervals`,
    valueTitle: metrics[main]!,
  });
  await showChart(chart.spec, { alt: chart.alt, save });
  const { arms, differences, spread } = comparisonRows(comparison);
  await showTable(arms, { caption: `Mean over the runs of an arm, with its 95 % interval over ${units}` });
  if (differences.length > 0) await showTable(differences, { caption: `Differences on the same ${units}` });
  await showTable(
    spread.filter(({ Metric }) => Metric === metrics[main]),
    { caption: 'Standard deviations by source' },
  );
  await display(html(`<p>${notes.map(escapeMarkup).join('<br>')}</p>`));
  if (table === undefined) return;
  await writeFileAtomic(`${table}.csv`, `${comparisonCsv(comparison)}\n`);
  await writeFileAtomic(`${table}.tex`, comparisonLatex(comparison));
}

/** Writes what the trainings cost, and collects what a fine-tuning run keeps beside its files, for `run.keep`. */
export async function fineTuningFacts<Results extends PatientResults>(
  run: Run,
  experiment: FineTuneExperiment<Results>,
  data: FineTuneData,
  { arms, runs, comparison }: Pick<FineTuneRuns<Results>, 'runs'> & { arms: readonly Arm[]; comparison: ArmComparison },
) {
  const weights: Record<string, string> = {};
  for (const { name, starts } of arms) {
    for (const { init, files } of starts) {
      for (const [file, hash] of Object.entries(files)) weights[`first weights of ${name}: ${init}, ${file}`] = hash;
    }
  }
  for (const each of firstRuns(runs)) {
    for (const file of ['backbone.safetensors', 'head.safetensors']) {
      weights[`models/${each.name}/${file}`] = await digestOfFile(join(modelFolder(run, each), file));
    }
  }
  const { batchSize } = experiment;
  const costs: KeptCost[] = [];
  for (const { name } of runs) {
    costs.push(await costOfTraining(join(trainingFolder(run, name), 'events.jsonl'), { name, batchSize }));
  }
  await run.write(costsFile, costs);
  const { report, indexSha256: sha256 } = data.dataset;
  return {
    data: [
      {
        ...{ name: report.dataset, origin: report.origin, licence: report.licence, sha256 },
        synthetic: report.counts.synthetic > 0,
      },
    ],
    splits: { [splitName]: data.split.sha256 },
    weights,
    metrics: fineTuningMetrics(experiment, data, comparison),
  };
}

/** The main metric of each arm, as a run's metrics. */
export function fineTuningMetrics<Results extends PatientResults>(
  { task: { main } }: FineTuneExperiment<Results>,
  { dataset: { report }, split, by, labelled, test }: FineTuneData,
  comparison: ArmComparison,
): Metric[] {
  const about = `${test.count} test patches of ${report.dataset}, split by ${split.by}; labels of ${labelled} ${by}`;
  return comparison.values.flatMap(({ arm, metric, value, interval, runs }): Metric[] =>
    metric === main && value.value !== null
      ? [
          {
            name: `${comparison.metrics[main]}, ${arm}`,
            value: 100 * value.value,
            ...(interval && { interval: [100 * interval.low, 100 * interval.high] as const }),
            unit: '%',
            about: `${about}; ${runs} runs; ${interval?.method ?? `${comparison.groups.count} ${by}, too few for an interval`}`,
          },
        ]
      : [],
  );
}

/** The run of each arm whose model is kept. */
function firstRuns<Of extends { arm: string }>(runs: readonly Of[]): Of[] {
  return [...new Map([...runs].reverse().map((run) => [run.arm, run])).values()].reverse();
}

/** The run that is looked at closely: of the arm with the highest value, the one whose model is kept. */
export function bestFineTuning<Results extends PatientResults>(
  { task: { main } }: FineTuneExperiment<Results>,
  { runs }: Pick<FineTuneRuns<Results>, 'runs'>,
  { values }: ArmComparison,
): FineTuneRun & { results: Results } {
  const meanOf = (of: string) => values.find(({ arm, metric }) => arm === of && metric === main)?.value.value ?? -1;
  return firstRuns(runs).reduce((best, run) => (meanOf(run.arm) > meanOf(best.arm) ? run : best));
}

/** Runs with a kept model, which is disposed of afterwards. */
export async function withModel<Result>(run: Run, of: FineTuneRun, use: (model: ModelTensors) => Promise<Result>) {
  const { model } = await readModel(modelFolder(run, of));
  try {
    return await use(model);
  } finally {
    disposeTensors(model.parameters, model.state);
  }
}

/** Results of each arm's first run, for charts; of so many arms as there are colors. */
export function firstResults({ runs }: Pick<FineTuneRuns<ClassifiedCases>, 'runs'>): Record<string, ClassifiedCases> {
  return Object.fromEntries(
    firstRuns(runs)
      .slice(0, palette.length)
      .map(({ arm, results }) => [arm, results]),
  );
}
