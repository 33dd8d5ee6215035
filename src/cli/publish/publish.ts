import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { writeApiPages } from '../../report/index.js';
import { listRuns } from '../../runs/index.js';
import { interruptible, parseOptions } from '../options.js';
import { UsageError } from '../usage-error.js';
import { type Choice, type ChosenRun, chooseRuns } from './choose-runs.js';
import { crateName } from './crate.js';
import { wordsOfOptions } from './machine-words.js';
import { requireNoStore, writeMlflow } from './mlflow.js';
import { replacedWords } from './site-texts.js';
import { sizeSentence } from './size.js';
import { plannedFiles, type SiteOptions, writeSite } from './write-site.js';

const help = `pathlab publish FOLDER [RUN ...]

Writes finished runs as a static site: gallery, pages, model cards, weights by their SHA-256, API pages, every number as
results.json and results.csv, and an RO-Crate with size and SHA-256 of every file. RUN is a run's folder; without any, all
of results/runs are published that are finished, unchanged, not edited, and of the present code.

FOLDER is new, empty, or has an earlier site, which is replaced as a whole. All links are resolved. Paths of this machine are
replaced in the published files, and the site says where; one that nothing replaces is an error. \`pathlab verify FOLDER\`
checks a site.

  --plan             only list runs and sizes
  --edited           also runs with edited cells, marked
  --stale            also runs of other code than the present, marked
  --without-weights  leave out weights
  --replace FROM=TO  replace a text of the machine in all files (FROM=FROM keeps it); can be repeated
  --title TITLE      of the site ("pathlab results")
  --author NAME      who is cited; can be repeated
  --mlflow FOLDER    also (or, without FOLDER of a site, only) write the runs to this new folder as an MLflow file store
`;

/**
 * The command `pathlab publish`.
 *
 * @param args what follows `publish` on the command line
 * @param api folder of the API pages; by default they are written
 * @returns the exit code
 * @throws UsageError with a message for the user
 */
export async function publish(args: readonly string[], api?: string): Promise<number> {
  const { values, positionals } = parseOptions('publish', {
    args: [...args],
    allowPositionals: true,
    options: {
      plan: { type: 'boolean' },
      edited: { type: 'boolean' },
      stale: { type: 'boolean' },
      'without-weights': { type: 'boolean' },
      replace: { type: 'string', multiple: true },
      title: { type: 'string' },
      author: { type: 'string', multiple: true },
      mlflow: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const { mlflow, title = 'pathlab results', author: authors = [] } = values;
  const [folder, ...named] = positionals;
  if (folder === undefined && mlflow === undefined)
    throw new UsageError('publish takes a FOLDER (see pathlab publish --help)');
  if (mlflow !== undefined) requireNoStore(resolve(mlflow));
  const words = wordsOfOptions(values.replace ?? []);
  const { chosen, leftOut } = await chooseRuns(foldersOf(named), values);
  printChoice({ chosen, leftOut }, named.length > 0);
  return interruptible(
    'publish',
    async (signal) => {
      if (folder !== undefined) {
        const options: SiteOptions = {
          ...{ title: { title, authors, date: new Date().toISOString() }, words, signal },
          ...{ api: api ?? dirname(await writeApiPages()), withWeights: !values['without-weights'] },
        };
        console.log(`at least ${sizeSentence(plannedFiles(chosen, options))}`);
        if (!values.plan) await writeAndReport(folder, chosen, options);
      }
      if (mlflow !== undefined && !values.plan) console.log(await writeMlflow(resolve(mlflow), chosen));
      return 0;
    },
    'nothing was written',
  );
}

/** @throws UsageError for two runs of one name */
function foldersOf(named: readonly string[]): readonly string[] {
  if (named.length === 0) return listRuns();
  const folders = named.map((each) => resolve(each));
  for (const [place, folder] of folders.entries()) {
    if (!existsSync(folder)) throw new UsageError(`${named[place]} is not a folder of a run`);
    const same = folders.findIndex((other) => basename(other) === basename(folder));
    if (same !== place)
      throw new UsageError(`${named[same]} and ${named[place]} would have the same folder in the site`);
  }
  return folders;
}

/** @throws UsageError when nothing is published, or a run that was named is not */
function printChoice({ chosen, leftOut }: Choice, areNamed: boolean): void {
  for (const { name, marks } of chosen) console.log(`run       ${name}${marks.map((mark) => ` [${mark}]`).join('')}`);
  for (const { name, reason } of leftOut) console.log(`left out  ${name}: ${reason}`);
  if (areNamed && leftOut.length > 0) {
    const words = leftOut.map(({ name, reason }) => `${name}: ${reason}`);
    throw new UsageError(`cannot be published:\n${words.join('\n')}`);
  }
  if (chosen.length === 0) throw new UsageError('there is no run to publish');
}

async function writeAndReport(folder: string, chosen: readonly ChosenRun[], options: SiteOptions): Promise<void> {
  const { files, runs, links, crate } = await writeSite(folder, chosen, options);
  for (const { name, altered } of runs) {
    for (const { file, replaced } of altered) console.log(`replaced  ${name}/${file}: ${replacedWords(replaced)}`);
  }
  for (const address of links.external) console.log(`external  ${address}`);
  console.log(`${links.checked} links lead somewhere; ${links.external.length} to other sites were not followed`);
  console.log(`${files.length} files, ${sizeSentence(files)}`);
  console.log(`to cite: SHA-256 of ${crateName} ${crate}`);
  console.log(resolve(folder, 'index.html'));
}
