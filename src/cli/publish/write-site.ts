import { existsSync, readFileSync, statSync } from 'node:fs';
import { copyFile, cp, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { digestOfFile, explainDiskFull, sha256, temporaryName, throwIfInterrupted } from '../../base/index.js';
import { UsageError } from '../usage-error.js';
import type { ChosenRun } from './choose-runs.js';
import { copyRun, filesOfRun, isText, isWeights, requireClean, requireNoWords } from './copy-run.js';
import { crateName, crateOf, type SiteFile, type SiteTitle } from './crate.js';
import { checkLinks, type LinkReport } from './links.js';
import { type MachineWord, replaceWords, wordsOfRun } from './machine-words.js';
import { markdownPage, modelCards, type PublishedCard, weightsPath } from './model-cards.js';
import { resultsCsv, resultsIn } from './results.js';
import { filesIn, hashedFiles, putInPlace, requireOwn } from './site-files.js';
import { galleryOf } from './site-gallery.js';
import { type PublishedRun, siteLicence, siteReadme } from './site-texts.js';
import { sizeSentence, sizeWords } from './size.js';

export interface SiteOptions {
  title: SiteTitle;
  /** The folder of the API pages. */
  api: string;
  withWeights: boolean;
  words: readonly MachineWord[];
  signal?: AbortSignal;
}

/** What was written. */
export interface SiteReport {
  files: readonly SiteFile[];
  runs: readonly PublishedRun[];
  links: LinkReport;
  /** SHA-256 of the crate, by which the site is cited. */
  crate: string;
}

/** The files that a site will have at least, before it is written; of weights, each once. */
export function plannedFiles(runs: readonly ChosenRun[], { api, withWeights }: SiteOptions) {
  const files = new Map<string, number>();
  for (const { name, run } of runs) {
    for (const file of filesOfRun(run.folder)) {
      const { size } = statSync(join(run.folder, file));
      if (!isWeights(file)) files.set(`runs/${name}/${file}`, size);
      else if (withWeights) files.set(weightsPath(run.files[file]!), size);
    }
  }
  for (const file of filesIn(api)) files.set(`api/${file}`, statSync(join(api, file)).size);
  return [...files].map(([path, bytes]) => ({ path, bytes }));
}

/**
 * Writes a site as a whole or not at all: in a folder beside it, which then takes its name.
 *
 * @param folder new, empty, or with an earlier site, which is replaced
 * @throws UsageError for a folder with anything else, a text of the machine, and links that lead nowhere
 */
export async function writeSite(folder: string, runs: readonly ChosenRun[], options: SiteOptions): Promise<SiteReport> {
  const target = resolve(folder);
  requireOwn(target);
  await mkdir(dirname(target), { recursive: true });
  const needed = plannedFiles(runs, options).reduce((sum, { bytes }) => sum + bytes, 0);
  const { bavail, bsize } = await statfs(dirname(target));
  if (bavail * bsize < needed) {
    const free = sizeWords(bavail * bsize);
    throw new UsageError(
      `the site needs at least ${sizeWords(needed)}, but only ${free} are free at ${dirname(target)}`,
    );
  }
  const built = temporaryName(target);
  try {
    const report = await explainDiskFull(
      () => build(built, runs, options),
      () => `nothing was written to ${folder}; make room and publish again`,
    );
    throwIfInterrupted(options.signal, 'publish');
    requireOwn(target);
    await putInPlace(built, target);
    return report;
  } finally {
    await rm(built, { recursive: true, force: true });
  }
}

async function build(site: string, chosen: readonly ChosenRun[], options: SiteOptions): Promise<SiteReport> {
  const { title, api, withWeights, words } = options;
  await mkdir(join(site, 'runs'), { recursive: true });
  const runs: PublishedRun[] = [];
  for (const each of chosen) {
    throwIfInterrupted(options.signal, 'publish');
    const folder = join(site, 'runs', each.name);
    const altered = await copyRun(each, folder, words);
    const cards = await modelCards(each.run, withWeights).catch((error: Error) => {
      throw new UsageError(`${each.name}: its model card cannot be made: ${error.message}; leave the run out`);
    });
    for (const card of cards) await writeCard(folder, card, each, words);
    if (withWeights) await copyWeights(site, each);
    runs.push({ ...{ name: each.name, folder, marks: each.marks }, altered, cards });
  }
  await cp(api, join(site, 'api'), { recursive: true, filter: (path) => basename(path) !== 'made-from' });
  const results = resultsIn(site);
  await writeFile(join(site, 'results.json'), `${JSON.stringify({ ...title, results }, null, 1)}\n`);
  await writeFile(join(site, 'results.csv'), await resultsCsv(results));
  await writeFile(join(site, 'index.html'), galleryOf(site, title.title, runs));
  const sizes = filesIn(site).map((path) => ({ path, bytes: statSync(join(site, path)).size }));
  const readme = siteReadme(title, runs, { size: sizeSentence(sizes), withWeights });
  await writeFile(join(site, 'README.md'), readme);
  await writeFile(join(site, 'LICENSE.md'), siteLicence(runs));
  await writeFile(
    join(site, 'about.html'),
    markdownPage(`${readme}\n${siteLicence(runs).replace(/^#/, '##')}`, toGallery('')),
  );
  const links = checkLinks(site, [...filesIn(site), crateName]);
  if (links.dead.length > 0) throw new UsageError(`links lead nowhere; nothing was written:\n${links.dead.join('\n')}`);
  for (const file of filesIn(site).filter((name) => !name.startsWith('runs/')))
    await requireCleanFile(site, file, words);
  const files = await hashedFiles(site);
  const names = chosen.map(({ name }) => name);
  const crate = `${JSON.stringify(crateOf(site, files, names, title), null, 1)}\n`;
  requireNoWords(crateName, crate, words);
  await writeFile(join(site, crateName), crate);
  return {
    files: [...files, { path: crateName, bytes: Buffer.byteLength(crate), sha256: sha256(crate) }],
    runs,
    links,
    crate: sha256(crate),
  };
}

const toGallery = (up: string) => ({ label: 'all results', href: `${up}index.html` });

async function writeCard(folder: string, card: PublishedCard, { run }: ChosenRun, given: readonly MachineWord[]) {
  const facts = ['parameters.json', 'provenance.json'].map((name) =>
    JSON.parse(readFileSync(join(run.folder, name), 'utf8')),
  );
  const own = wordsOfRun(facts, given);
  const { text } = replaceWords(card.markdown, own);
  requireNoWords(`${card.name}.md of ${basename(folder)}`, text, given, own);
  await writeFile(join(folder, `${card.name}.md`), text);
  await writeFile(join(folder, `${card.name}.html`), markdownPage(text, toGallery('../../')));
}

async function copyWeights(site: string, { run }: ChosenRun): Promise<void> {
  await mkdir(join(site, 'weights'), { recursive: true });
  for (const file of filesOfRun(run.folder).filter(isWeights)) {
    const [hash, path] = [run.files[file]!, join(site, weightsPath(run.files[file]!))];
    if (existsSync(path)) continue;
    await copyFile(join(run.folder, file), path);
    if ((await digestOfFile(path)) !== hash)
      throw new UsageError(`${file} of ${run.folder} changed while it was copied`);
  }
}

async function requireCleanFile(site: string, file: string, given: readonly MachineWord[]): Promise<void> {
  const path = join(site, file);
  if (await isText(path)) requireNoWords(file, readFileSync(path, 'utf8'), given);
  else await requireClean(path, wordsOfRun([], given));
}
