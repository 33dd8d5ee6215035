import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * How far a run is: `finished`; `without a page`, when it was killed after its last result and before its page;
 * `unfinished`, which goes on from its checkpoints; `new`.
 */
export type JobState = 'finished' | 'without a page' | 'unfinished' | 'new';

/** The state of a run, from its folder alone. */
export function stateOf(folder: string): JobState {
  const has = (name: string) => existsSync(join(folder, name));
  // A run is finished by its provenance; a notebook that opens no run, by the runner's word.
  const isKept = has('provenance.json') || statusOf(folder) === 'finished';
  if (isKept) return has('notebook.html') || !has('notebook.ipynb') ? 'finished' : 'without a page';
  return existsSync(folder) ? 'unfinished' : 'new';
}

/** The status that the runner has written into the executed notebook, after its end. */
function statusOf(folder: string): string | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, 'notebook.ipynb'), 'utf8')).metadata?.pathlab?.status;
  } catch {
    return undefined;
  }
}
