import { existsSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { projectRoot } from '../base/index.js';
import type { ArmMetric, Interval } from '../evaluate/index.js';
import {
  type ComparedGroup,
  type ResultGroup,
  type ResultRun,
  resultRows,
  resultTasks,
  rowOf,
} from '../experiments/index.js';
import type { Run } from '../runs/index.js';

/** What tables call networks. */
const networks: Readonly<Record<string, string>> = { 'resnet10 (width x 0.25)': 'small ResNet' };

/** `PTCGA200, Accuracy %, demo scale`. */
export function taskOf({ notebook, scale, experiment: { task } }: ResultGroup): string {
  return `${resultTasks[notebook]}, ${task.metrics[task.main]!.label} %, ${scale} scale`;
}

export function networkOf({ experiment: { method } }: ResultGroup): string {
  return networks[method.backbone.name] ?? method.backbone.name;
}

/** Parameters that headings say in other words, and those that are no setting of a column. */
const saidElsewhere = ['scale', 'data', 'backbone', 'labels', 'metric', 'init', 'seed', 'seeds'];

/** What a column is of; see `headingsOf` for columns that differ in what it does not say. */
export function headingOf(group: ResultGroup): string {
  const { cases, data } = group;
  const { labelled, available, unit, sites } = cases;
  const labels = labelled < available ? `, labels of ${labelled} of ${available} ${unit}` : '';
  const of = `${data.name}${data.synthetic && !data.name.startsWith('synthetic') ? ' (synthetic)' : ''} ${data.sha256.slice(0, 6)}`;
  const given = Object.entries(group.runs[0]!.parameters)
    .filter(([name]) => !saidElsewhere.includes(name))
    .map(([name, value]) => `, ${name} ${value}`);
  return `${taskOf(group)}: ${networkOf(group)}, ${of}${labels}${given.join('')}, ${sites.length} test ${unit}`;
}

/** Headings of columns, no two of them alike. */
export function headingsOf(compared: readonly ComparedGroup[]): (group: ResultGroup) => string {
  const all = compared.map(({ group }) => headingOf(group));
  return (group) => {
    const heading = headingOf(group);
    return all.filter((other) => other === heading).length > 1 ? `${heading}, other settings (${group.id})` : heading;
  };
}

/** Names of columns in rows below a table of them: as short as tells them apart. */
export function columnNames(compared: readonly ComparedGroup[]): (group: ResultGroup) => string {
  const tasks = compared.map(({ group }) => taskOf(group));
  const heading = headingsOf(compared);
  return (group) => (tasks.filter((task) => task === taskOf(group)).length > 1 ? heading(group) : taskOf(group));
}

/** Arms in the order of the paper's rows, and others after them by name. */
export function inRowOrder(arms: readonly string[]): string[] {
  const rows = resultRows();
  const place = (arm: string) => rows.indexOf(rowOf(arm) ?? '') + (rowOf(arm) === undefined ? rows.length + 1 : 0);
  return [...arms].sort((one, other) => place(one) - place(other) || (one < other ? -1 : 1));
}

/** A percentage with its interval. */
export function estimate(value: number | null, interval?: Interval | null, sign = ''): string {
  if (value === null) return '–';
  const points = (share: number) =>
    (100 * share)
      .toFixed(1)
      .replace(/^-(?=0\.0$)/, '')
      .replace('-', '−');
  const signed = (share: number) => `${sign !== '' && share > 0 ? sign : ''}${points(share)}`;
  return interval ? `${signed(value)} (${signed(interval.low)} to ${signed(interval.high)})` : signed(value);
}

export function pValue(p: number | null): string {
  return p === null ? '–' : p < 0.001 ? '<0.001' : p.toFixed(3);
}

/** An arm's value in a metric of its column. */
export function armValue({ comparison }: ComparedGroup, arm: string, metric: string): ArmMetric | undefined {
  return comparison.values.find((each) => each.arm === arm && each.metric === metric);
}

/** The runs that an arm's number is from, by the first letters of their hashes. */
export function runsOf({ arms }: ResultGroup, ...names: readonly string[]): string {
  return [...new Set(names.flatMap((name) => (arms[name] ?? []).map(({ run }) => run.id)))].join(' ');
}

/**
 * Where the pages of runs are, from a run's own page: of those that are in the project's results and have one, if that page
 * is there too.
 */
export function pageLinks(
  { folder }: Pick<Run, 'folder'>,
  runs: readonly ResultRun[],
  root = projectRoot,
): Record<string, string> {
  const results = join(root, 'results') + sep;
  if (!folder.startsWith(results)) return {};
  return Object.fromEntries(
    runs
      .map(({ id, folder: other }) => ({ id, page: join(other, 'notebook.html') }))
      .filter(({ page }) => page.startsWith(results) && existsSync(page))
      .map(({ id, page }) => [id, relative(folder, page).split(sep).map(encodeURIComponent).join('/')]),
  );
}
