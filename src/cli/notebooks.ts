import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { projectRoot } from '../base/index.js';
import { UsageError } from './usage-error.js';

/** One `let name: type = default; // help` of a notebook's cell tagged `parameters`. */
interface NotebookParameter {
  name: string;
  /** TypeScript's type, as written. */
  type: string;
  /** The default, as written, and its value if it is a literal. */
  default: string;
  value?: unknown;
  help: string;
}

/** kernel-setup/kernel/parameters.cjs, which papermill's engine also uses. */
interface ParameterReader {
  readParameters(source: string): NotebookParameter[];
  problemsOf(source: string, given: Record<string, unknown>): string[];
  valueOfText(source: string, name: string, text: string): unknown;
  parameterTable(source: string): string;
}

interface NotebookFile {
  cells: { cell_type: string; source: string | string[]; metadata?: { tags?: string[] } }[];
}

export interface Notebook {
  name: string;
  path: string;
  /** The text of the cell tagged `parameters`; empty if there is none. */
  parametersCell: string;
}

/** The names of the project's notebooks, in order. */
export function notebookNames(root = projectRoot): string[] {
  return readdirSync(join(root, 'notebooks'))
    .filter((file) => file.endsWith('.ipynb'))
    .map((file) => basename(file, '.ipynb'))
    .sort();
}

/**
 * Opens a notebook of the project.
 *
 * @param given its name, or a unique prefix such as `11`
 * @throws UsageError that lists the notebooks if none or several match
 */
export function openNotebook(given: string, root = projectRoot): Notebook {
  const names = notebookNames(root);
  const fitting = names.includes(given) ? [given] : names.filter((name) => given !== '' && name.startsWith(given));
  const [name] = fitting;
  if (name === undefined || fitting.length > 1) {
    const what = name === undefined ? `There is no notebook "${given}"` : `Several notebooks begin with "${given}"`;
    throw new UsageError([`${what}. The notebooks are:`, ...names.map((known) => `  ${known}`)].join('\n'));
  }
  const path = join(root, 'notebooks', `${name}.ipynb`);
  const { cells } = JSON.parse(readFileSync(path, 'utf8')) as NotebookFile;
  const cell = cells.find(({ metadata }) => metadata?.tags?.includes('parameters'));
  return { name, path, parametersCell: cell ? textOf(cell.source) : '' };
}

/** The title of a notebook file: its first heading. */
export function notebookTitle(path: string): string | undefined {
  const { cells } = JSON.parse(readFileSync(path, 'utf8')) as NotebookFile;
  for (const { cell_type: kind, source } of cells) {
    const heading = kind === 'markdown' ? /^#\s+(.+)$/m.exec(textOf(source)) : null;
    if (heading) return heading[1]!.trim();
  }
  return undefined;
}

/** The table of parameters, for help. */
export function describeParameters(notebook: Notebook): string {
  return reader().parameterTable(notebook.parametersCell);
}

/** Command-line values converted to the declared types: `3` stays text for a string parameter. */
export function parametersOfTexts(notebook: Notebook, texts: readonly (readonly [string, string])[]) {
  const { valueOfText } = reader();
  return Object.fromEntries(texts.map(([name, text]) => [name, valueOfText(notebook.parametersCell, name, text)]));
}

/** What is wrong with the given values, a sentence each. */
export function parameterProblems(notebook: Notebook, given: Record<string, unknown>): string[] {
  return reader().problemsOf(notebook.parametersCell, given);
}

/** The declared types, as written, by name. */
export function parameterTypes(notebook: Notebook): Record<string, string> {
  return Object.fromEntries(
    reader()
      .readParameters(notebook.parametersCell)
      .map(({ name, type }) => [name, type]),
  );
}

/**
 * All parameters of a run: the declared defaults with the given values over them.
 *
 * @throws UsageError that names unknown parameters and wrong types, and lists the known ones
 */
export function resolveParameters(notebook: Notebook, given: Record<string, unknown>): Record<string, unknown> {
  const { readParameters, parameterTable } = reader();
  const problems = parameterProblems(notebook, given);
  if (problems.length > 0) {
    throw new UsageError([`${notebook.name}:`, ...problems, parameterTable(notebook.parametersCell)].join('\n'));
  }
  const defaults = readParameters(notebook.parametersCell).map(({ name, value }) => [name, value]);
  return { ...Object.fromEntries(defaults), ...given };
}

function reader(): ParameterReader {
  return createRequire(import.meta.url)('../../kernel-setup/kernel/parameters.cjs') as ParameterReader;
}

function textOf(source: string | string[]): string {
  return Array.isArray(source) ? source.join('') : source;
}
