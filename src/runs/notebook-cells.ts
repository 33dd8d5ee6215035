import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { kernelServices } from '../base/interrupt.js';

/** The code of a notebook's file. */
export interface NotebookCells {
  /** Sources of the code cells, without papermill's injected cell. */
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
 * Cells that this kernel has run and that are not in the notebook's file: unsaved edits, or cells of another notebook.
 * A cell that only sets parameters does not count, unless it was run after the run was opened. Empty outside a kernel.
 *
 * @param ranBefore cells run before the run was opened; by default all so far
 */
export function foreignCells({ sources, parameters }: NotebookCells, ranBefore?: ReadonlySet<string>): string[] {
  const own = new Set(sources.map((source) => source.trim()));
  const executed = kernelServices()?.executedCells() ?? [];
  return executed
    .filter((source) => source.trim() !== '' && !own.has(source.trim()))
    .filter((source) => (ranBefore && !ranBefore.has(source)) || !setsParameters(source, parameters));
}

/** Whether a cell only assigns literals to parameters, like papermill's. */
function setsParameters(source: string, names: ReadonlySet<string>): boolean {
  const reader = createRequire(import.meta.url)('../../kernel-setup/kernel/sets-only.cjs') as {
    setsOnly(source: string, names: ReadonlySet<string>): boolean;
  };
  return reader.setsOnly(source, names);
}
