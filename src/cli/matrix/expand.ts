import { basename, relative } from 'node:path';
import { projectRoot } from '../../base/index.js';
import {
  fineTuneExperiment,
  isFineTuning,
  isPretraining,
  pretrainExperiment,
  resultsNotebook,
} from '../../experiments/index.js';
import { runFolderFor } from '../../runs/index.js';
import { type Notebook, openNotebook, parameterProblems, parameterTypes, resolveParameters } from '../notebooks.js';
import { UsageError } from '../usage-error.js';
import type { Group, Matrix, Resources } from './read.js';

/** One run of a matrix. */
export interface Job {
  /** The name of its run folder, which is by its identity; a page of results gets another once its runs are there. */
  id: string;
  notebook: string;
  /** As given: what the notebook declares as defaults is not among them. */
  parameters: Record<string, unknown>;
  folder: string;
  /** The ids of the jobs whose results it needs. */
  needs: string[];
  /** The ids of the jobs that end before it, finished or not. */
  after: string[];
  resources: Resources;
}

interface Cell {
  values: Record<string, unknown>;
  /** Where each parameter stands in the file. */
  places: Record<string, readonly PropertyKey[]>;
}

/**
 * The runs of a matrix, each after those it needs, otherwise in the order of the file. A value `$group` stands for the run
 * folders of a group: in `parameters` all of them, in `grid` one for each cell. A page of results needs none of them: it
 * shows those that are there.
 *
 * @throws UsageError with the line of each error
 */
export function expandMatrix(matrix: Matrix, root = projectRoot): Job[] {
  const faults = new Set<string>();
  const done = new Map<string, Job[]>();
  const begun: string[] = [];
  const refuse = (place: readonly PropertyKey[], problem: string) => void faults.add(matrix.faultAt(place, problem));

  /** The jobs of a group that `place` names. */
  const jobsOf = (name: string, place: readonly PropertyKey[]): Job[] => {
    if (done.has(name)) return done.get(name)!;
    const group = matrix.groups[name];
    if (!group) refuse(place, `names the group ${name}; there are ${Object.keys(matrix.groups).join(', ')}`);
    else if (begun.includes(name))
      refuse(place, `makes a circle: ${[...begun.slice(begun.indexOf(name)), name].join(' needs ')}`);
    if (!group || begun.includes(name)) return [];
    begun.push(name);
    const jobs = expandGroup(name, group);
    begun.pop();
    done.set(name, jobs);
    return jobs;
  };

  const expandGroup = (name: string, group: Group): Job[] => {
    const place = ['groups', name];
    const after = group.after.flatMap((each) => jobsOf(each, [...place, 'after']));
    return group.notebook.flatMap((asked) => {
      const notebook = opened(asked, root, (problem) => refuse([...place, 'notebook'], problem));
      if (!notebook) return [];
      return cellsOf(matrix, name, (each, at) => jobsOf(each, at)).flatMap((cell) => {
        const needs = new Set<Job>();
        const before = new Set(after);
        const resolve = (value: unknown, at: readonly PropertyKey[]): unknown[] =>
          [value].flat().flatMap((each) => {
            const other = referenceIn(each);
            if (other === undefined) return [each];
            const jobs = each instanceof JobValue ? [each.job] : jobsOf(other, at);
            if (jobs.some((job) => job.notebook === resultsNotebook))
              refuse(at, `names the group ${other}: no run begins with a page of results`);
            for (const job of jobs) (notebook.name === resultsNotebook ? before : needs).add(job);
            return jobs.map(({ folder }) => relative(root, folder));
          });
        const parameters = Object.fromEntries(
          Object.entries(cell.values).map(([key, value]) => {
            const values = resolve(value, cell.places[key]!);
            const isList = Array.isArray(value) || referenceIn(value) !== undefined;
            // What takes text, such as arms, takes several with commas between.
            const joined = isList && /\bstring\b(?!\[)/.test(parameterTypes(notebook)[key] ?? '');
            return [key, joined ? values.join(',') : isList ? values : value];
          }),
        );
        const found = faults.size;
        for (const [key, value] of Object.entries(parameters)) {
          const problems = key === 'out' ? ['is chosen by the matrix'] : parameterProblems(notebook, { [key]: value });
          for (const problem of problems) refuse(cell.places[key]!, `${notebook.name}: ${problem}`);
        }
        if (faults.size > found) return [];
        const resolved = resolveParameters(notebook, parameters);
        const problem = experimentProblem(notebook, resolved);
        if (problem) refuse(place, `${notebook.name}: ${problem}`);
        const folder = runFolderFor(notebook.name, resolved, root);
        const resources = { ...matrix.resources, ...group.resources };
        const edges = {
          needs: [...needs].map(({ id }) => id),
          after: [...before].filter((job) => !needs.has(job)).map(({ id }) => id),
        };
        return [{ id: basename(folder), notebook: notebook.name, parameters, folder, ...edges, resources }];
      });
    });
  };

  for (const name of Object.keys(matrix.groups)) jobsOf(name, ['groups', name]);
  const jobs = new Map<string, Job>();
  for (const [name, each] of done) {
    for (const job of each) {
      if (jobs.has(job.id)) refuse(['groups', name], `has a run twice: ${describeJob(job)}; leave one out`);
      jobs.set(job.id, job);
    }
  }
  if (faults.size > 0) throw new UsageError([...faults].join('\n'));
  return [...jobs.values()];
}

/** A run that a cell of a grid stands for. */
class JobValue {
  constructor(readonly job: Job) {}
}

/** The group that a value refers to. */
function referenceIn(value: unknown): string | undefined {
  if (value instanceof JobValue) return value.job.id;
  return typeof value === 'string' ? /^\$(.+)$/.exec(value)?.[1] : undefined;
}

/** The cells of a group: of each of its grids, all combinations of values. */
function cellsOf(
  matrix: Matrix,
  name: string,
  jobsOf: (group: string, place: readonly PropertyKey[]) => Job[],
): Cell[] {
  const group = matrix.groups[name]!;
  const values = { ...matrix.parameters, ...group.parameters };
  const places = Object.fromEntries(
    Object.keys(values).map((key) => [
      key,
      key in group.parameters ? ['groups', name, 'parameters', key] : ['parameters', key],
    ]),
  );
  return group.grid.flatMap((axes) =>
    Object.entries(axes).reduce<Cell[]>(
      (cells, [key, list]) => {
        const place = ['groups', name, 'grid', key];
        const points = list.flatMap((value): unknown[] => {
          const other = referenceIn(value);
          return other === undefined ? [value] : jobsOf(other, place).map((job) => new JobValue(job));
        });
        return cells.flatMap((cell) =>
          points.map((value) => ({
            values: { ...cell.values, [key]: value },
            places: { ...cell.places, [key]: place },
          })),
        );
      },
      [{ values, places }],
    ),
  );
}

function opened(name: string, root: string, refuse: (problem: string) => void): Notebook | undefined {
  try {
    return openNotebook(name, root);
  } catch (error) {
    refuse(`names a notebook that is not there or not clear. ${(error as Error).message}`);
    return undefined;
  }
}

/** Why the experiment of a training notebook refuses its parameters. */
function experimentProblem({ name }: Notebook, parameters: Record<string, unknown>): string | undefined {
  try {
    if (isPretraining(name)) pretrainExperiment(name, parameters as never);
    if (isFineTuning(name)) fineTuneExperiment(name, parameters as never);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** A run in a few words: its notebook and parameters, of long lists the number. */
export function describeJob({ notebook, parameters }: Pick<Job, 'notebook' | 'parameters'>): string {
  const words = Object.entries(parameters).map(([key, value]) => {
    if (typeof value !== 'string') return `${key} ${JSON.stringify(value)}`;
    const parts = value.split(',').map((part) => basename(part));
    return `${key} ${parts.length > 3 ? `of ${parts.length}` : parts.join(' and ')}`;
  });
  return [notebook, ...words].join(', ');
}
