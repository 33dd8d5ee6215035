import { readFileSync } from 'node:fs';
import { isMap, LineCounter, parseDocument, type YAMLMap } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../usage-error.js';

const name = z.string().regex(/^[a-z][a-z0-9-]*$/, 'is lower-case letters, digits and hyphens, as "fine-tuning"');
const oneOrMore = z
  .union([z.string(), z.array(z.string()).min(1)], 'is a name or a list of names')
  .transform((given) => [given].flat());
const parameters = z.record(z.string(), z.unknown(), 'has names of parameters with values, as "seed: 2"');
const axes = z.record(z.string(), z.array(z.unknown()).min(1, 'has at least one value'), 'has lists of values');
const amount = z.number('is a number').positive('is above 0');

/** What a job of a group needs. Only SLURM sees to it, except for `cores`. */
const resources = z.strictObject(
  {
    /** Local jobs without it take the whole machine, one at a time. */
    cores: amount.int('is a whole number').optional(),
    gpus: z.int('is a whole number').nonnegative('is 0 or more').optional(),
    /** The time limit. */
    hours: amount.optional(),
    /** GB. */
    memory: amount.optional(),
  },
  'has cores, gpus, hours and memory',
);

const group = z.strictObject(
  {
    notebook: oneOrMore,
    parameters: parameters.default({}),
    grid: z.union([axes.transform((one) => [one]), z.array(axes).min(1)], 'has lists of values').default([{}]),
    after: oneOrMore.default([]),
    resources: resources.default({}),
  },
  'has notebook, parameters, grid, after and resources',
);

const matrix = z.strictObject(
  {
    parameters: parameters.default({}),
    resources: resources.default({}),
    groups: z.record(name, group, 'has groups by name'),
  },
  'has parameters, resources and groups',
);

export type Resources = z.infer<typeof resources>;
export type Group = z.infer<typeof group>;

/** A matrix of runs as its file has it. */
export type Matrix = z.infer<typeof matrix> & {
  file: string;
  /** An error at a place of the file, such as `['groups', 'pretraining', 'after']`, with its line. */
  faultAt(place: readonly PropertyKey[], problem: string): string;
};

/** @throws UsageError with the line of each error */
export function readMatrix(file: string): Matrix {
  const lines = new LineCounter();
  const document = parseDocument(readText(file), { lineCounter: lines });
  const at = (offset: number | undefined) => `${file}:${lines.linePos(offset ?? 0).line}`;
  if (document.errors.length > 0) {
    const faults = document.errors.map(({ pos, message }) => `${at(pos[0])}: ${message.split('\n')[0]}`);
    throw new UsageError(faults.join('\n'));
  }
  const faultAt: Matrix['faultAt'] = (place, problem) =>
    `${at(offsetOf(document.contents as YAMLMap, place))}: ${[...place, problem].map(String).join(' ')}`;
  const { data, error } = matrix.safeParse(document.toJS());
  if (data) return { ...data, file, faultAt };
  throw new UsageError(error.issues.flatMap((issue) => faultsOf(issue, faultAt)).join('\n'));
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`the matrix ${file} cannot be read: ${(error as Error).message}`);
  }
}

function faultsOf(issue: z.core.$ZodIssue, faultAt: Matrix['faultAt']): string[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => faultAt([...issue.path, key], 'is not a key of a matrix at this place'));
  // The deepest place of a union says most.
  const inner = issue.code === 'invalid_union' ? issue.errors.flat().find(({ path }) => path.length > 0) : undefined;
  if (inner) return faultsOf({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, faultAt);
  if (issue.code === 'invalid_key') return [faultAt(issue.path, issue.issues[0]!.message)];
  return [faultAt(issue.path, issue.message)];
}

/** Where a place begins, or the nearest one around it. */
function offsetOf(root: YAMLMap | null, place: readonly PropertyKey[]): number | undefined {
  let node: unknown = root;
  let offset = root?.range?.[0];
  for (const part of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(key) === part);
      offset = (pair?.key as { range?: number[] } | undefined)?.range?.[0] ?? offset;
      node = pair?.value;
    } else {
      node = (node as { items?: unknown[] } | undefined)?.items?.[Number(part)];
      offset = (node as { range?: number[] } | undefined)?.range?.[0] ?? offset;
    }
  }
  return offset;
}
