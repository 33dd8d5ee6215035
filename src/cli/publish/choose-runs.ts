import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { digestOfFile } from '../../base/index.js';
import { summarizeRun } from '../../report/run-summary.js';
import { type FinishedRun, readFinishedRun } from '../finished-run.js';
import { hashesNow } from '../hashes-now.js';
import { UsageError } from '../usage-error.js';
import { isExternal, linksOf, targetOf } from './links.js';

/** A run that is published. */
export interface ChosenRun {
  /** Of its folder, in the site too. */
  name: string;
  run: FinishedRun;
  /** What a reader must know of it: that cells were edited, that the code is not today's. */
  marks: readonly string[];
}

/** The mark of runs with edited cells, which the gallery knows by itself. */
export const editedMark = 'cells were edited';

export interface Choice {
  chosen: readonly ChosenRun[];
  leftOut: readonly { name: string; reason: string }[];
}

/**
 * Which runs are published: those that are finished and unchanged, ran the notebook's own cells, and ran the present code; of
 * pages of results, those that show published runs alone.
 *
 * @param options.edited also those with edited cells, marked
 * @param options.stale also those of other code than the present, marked
 */
export async function chooseRuns(
  folders: readonly string[],
  { edited = false, stale = false }: { edited?: boolean; stale?: boolean } = {},
): Promise<Choice> {
  const chosen: ChosenRun[] = [];
  const leftOut: { name: string; reason: string }[] = [];
  for (const folder of folders) {
    const name = basename(folder);
    try {
      const run = await fitRun(folder);
      const changes = await changedCode(run);
      const marks = [
        ...(run.edited.length > 0 ? [{ allowed: edited, option: '--edited', words: editedMark }] : []),
        ...(changes.length > 0
          ? [{ allowed: stale, option: '--stale', words: `other code than now: ${changes.join(', ')}` }]
          : []),
      ];
      const refused = marks.find(({ allowed }) => !allowed);
      if (refused) throw new UsageError(`${refused.words} (publish it with ${refused.option})`);
      chosen.push({ name, run, marks: marks.map(({ words }) => words) });
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      leftOut.push({ name, reason: error.message });
    }
  }
  // A page that is left out may be shown by another.
  for (;;) {
    const pages = new Set(chosen.flatMap(pageOf));
    const place = chosen.findIndex((each) => pagesLinked(each).some((page) => !pages.has(page)));
    if (place < 0) return { chosen, leftOut };
    const [each] = chosen.splice(place, 1) as [ChosenRun];
    const missing = pagesLinked(each).filter((page) => !pages.has(page));
    const names = missing.map((page) => dirname(page).replace(/^runs\//, ''));
    leftOut.push({ name: each.name, reason: `it shows ${names.join(', ')}, not published` });
  }
}

/** The page of a run in a site; a run in JupyterLab has none. */
function pageOf({ name, run }: ChosenRun): string[] {
  return existsSync(join(run.folder, 'notebook.html')) ? [`runs/${name}/notebook.html`] : [];
}

/** The pages of runs that a run's page links to, where a site would have them. */
function pagesLinked(each: ChosenRun): string[] {
  const targets = pageOf(each).flatMap((page) =>
    linksOf(join(each.run.folder, 'notebook.html'))
      .filter((link) => !isExternal(link))
      .map((link) => targetOf(link, page)),
  );
  return [...new Set(targets)].filter((target) => basename(target) === 'notebook.html');
}

/** @throws UsageError for a run that is not finished, or not as it was */
async function fitRun(folder: string): Promise<FinishedRun> {
  if (!existsSync(join(folder, 'provenance.json'))) throw new UsageError('it is not finished');
  const run = readFinishedRun(folder);
  const { status } = summarizeRun(folder);
  if (status !== 'finished') throw new UsageError(`its notebook is ${status}`);
  for (const [file, sha256] of Object.entries(run.files)) {
    const path = join(folder, file);
    if (!existsSync(path)) throw new UsageError(`${file} is missing`);
    if ((await digestOfFile(path)) !== sha256) throw new UsageError(`${file} changed since the run`);
  }
  return run;
}

/** The parts of the code that are not what they were when it ran. */
async function changedCode(run: FinishedRun): Promise<string[]> {
  try {
    const now = await hashesNow(run);
    return Object.keys(run.hashes).filter((part) => now[part] !== run.hashes[part]);
  } catch (error) {
    return [(error as Error).message];
  }
}
