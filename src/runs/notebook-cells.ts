import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { kernelServices } from '../base/interrupt.js';

/** The code of a notebook's file. */
export interface NotebookCells {
  /** Sources of the code cells; outputs, and the cell that papermill injects, are not part of what a notebook is. */
  sources: readonly string[];
  /** Names that the cell tagged `parameters` declares. */
  parameters: ReadonlySet<string>;
}

/** @throws Error if there is no such file */
export function readNotebookCells(path: string): NotebookCells {
  if (!existsSync(path)) throw new Error(`there is no notebook ${path}`);
  const notebook = JSON.parse(readFileSync(path, 'utf8')) as {
    cells: { cell_type: string; source: string | string[]; metadata?: { tags?: string[] } }[];
  };
  const sources: string[] = [];
  const parameters = new Set<string>();
  for (const { cell_type: type, source, metadata: { tags = [] } = {} } of notebook.cells) {
    if (type !== 'code' || tags.includes('injected-parameters')) continue;
    const text = Array.isArray(source) ? source.join('') : source;
    sources.push(text);
    if (tags.includes('parameters')) for (const [, name] of text.matchAll(/^let (\w+)/gm)) parameters.add(name!);
  }
  return { sources, parameters };
}

/**
 * The cells that this kernel has run and that are not the notebook's: edited and not saved, or of another notebook. A cell
 * that only sets parameters does not count, since a run keeps its parameters, unless it was run after the run was opened.
 * Outside a kernel there are none.
 *
 * @param ranBefore cells that had been run when the run was opened; by default all of now
 */
export function foreignCells({ sources, parameters }: NotebookCells, ranBefore?: ReadonlySet<string>): string[] {
  const own = new Set(sources.map((source) => source.trim()));
  const executed = kernelServices()?.executedCells() ?? [];
  return executed
    .filter((source) => source.trim() !== '' && !own.has(source.trim()))
    .filter((source) => (ranBefore && !ranBefore.has(source)) || !setsParameters(source, parameters));
}

/** Whether a cell does nothing but give parameters literal values, as papermill's does. */
function setsParameters(source: string, names: ReadonlySet<string>): boolean {
  const reader = createRequire(import.meta.url)('../../kernel-setup/kernel/sets-only.cjs') as {
    setsOnly(source: string, names: ReadonlySet<string>): boolean;
  };
  return reader.setsOnly(source, names);
}
