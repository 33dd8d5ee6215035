import {
  type ComparedGroup,
  type PaperNumber,
  paperNumbers,
  paperNumbersOf,
  papersMetric,
  type ResultGroup,
  resultTasks,
  rowOf,
} from '../experiments/index.js';
import { armValue, estimate, networkOf, runsOf, taskOf } from './results-cells.js';

/** Of the paper's numbers beside a column, of the same network. */
function paperHeading({ notebook, metric, network }: PaperNumber): string {
  return `${resultTasks[notebook]}, ${metric} %, ${network}, paper scale: the paper`;
}

/** Whether a column's main metric is the one that the paper reports. */
export function hasPapersMetric({ experiment: { task } }: ResultGroup): boolean {
  return task.main === papersMetric(task);
}

/** The paper's percentage after a pretraining, of a column's network. */
export function paperOf(group: ResultGroup, arm: string): number | undefined {
  return paperNumbersOf(group).find(({ pretraining }) => pretraining === rowOf(arm))?.value;
}

/** The paper's number of a column's network, and the column's own in the paper's metric where its main one is another. */
export function besidePaper(column: ComparedGroup, arm: string, heading: string): [string, string][] {
  const { group, comparison } = column;
  const [number] = paperNumbersOf(group);
  const metric = papersMetric(group.experiment.task);
  const label = comparison.metrics[metric];
  if (!number || label === undefined) return [];
  const paper: [string, string] = [paperHeading(number), paperOf(group, arm)?.toString() ?? 'not known here'];
  return hasPapersMetric(group) ? [paper] : [paper, [`${heading}: ${label} %`, cellOf(column, arm, metric)]];
}

/** A column's number of an arm, with its runs. */
export function cellOf(column: ComparedGroup, arm: string, metric: string): string {
  const found = armValue(column, arm, metric);
  if (!found) return 'missing';
  return `${estimate(found.value.value, found.interval)} · ${runsOf(column.group, arm)}`;
}

/** Why no number of the paper stands beside a column, and what its mIoU is. */
export function paperNotes(compared: readonly ComparedGroup[]): string[] {
  const without = compared.flatMap(({ group, comparison }) => {
    const numbers = paperNumbers.filter(({ notebook }) => notebook === group.notebook);
    if (numbers.length === 0) return [];
    const { metric } = numbers[0]!;
    const task = resultTasks[group.notebook];
    const networks = [...new Set(numbers.map(({ network }) => network))].join('; ');
    if (paperNumbersOf(group).length === 0) {
      const head = group.experiment.method.settings.head;
      const own = `${networkOf(group)}${head === undefined ? '' : `, head ${head as string}`}`;
      return [`The paper's numbers on ${task} are of ${networks}: none stands beside ${own}.`];
    }
    if (comparison.metrics[papersMetric(group.experiment.task)] !== undefined) return [];
    return [`The paper's numbers on ${task} are ${metric}: none stands beside ${taskOf(group)}.`];
  });
  const rule = compared.some(({ group }) => group.experiment.task.masks)
    ? [
        "mIoU (paper) is by the rule of the paper's code, in which a class that is neither in the masks nor predicted counts as " +
          '0; mIoU leaves it out.',
      ]
    : [];
  return [...new Set([...without, ...rule])];
}
