import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { canonicalJson, digestOfFile } from '../../base/index.js';
import { type Finding, notChecked } from '../finding.js';
import { type FinishedRun, readFinishedRun, readOfRun } from '../finished-run.js';
import { UsageError } from '../usage-error.js';
import { isWeights, type PublishedProvenance } from './copy-run.js';
import { type CrateEntity, crateName, idOf } from './crate.js';
import { checkLinks } from './links.js';
import { weightsPath } from './model-cards.js';
import { type Result, resultsOf } from './results.js';
import { filesIn, graphOf, runNames } from './site-files.js';

/**
 * Checks a site by itself, without the project's results and data: every file against the crate, the files of every run
 * against its provenance, every number against the run's metrics, and links.
 *
 * @param evaluate checks a run again whose weights and files are in the folder that it is given; undefined to leave it out
 */
export async function* siteFindings(
  folder: string,
  evaluate?: (run: FinishedRun) => AsyncGenerator<Finding>,
): AsyncGenerator<Finding> {
  const graph = graphOf(folder);
  const digests = new Map<string, string>();
  for (const file of filesIn(folder)) digests.set(file, await digestOfFile(join(folder, file)));
  yield* fileFindings(graph, digests);
  const names = runNames(folder);
  const actions = graph.filter((entity) => entity['@type'] === 'CreateAction').map((entity) => entity['@id']);
  yield asFinding(
    'runs of the crate',
    canonicalJson([...actions].sort()) === canonicalJson(names.map((name) => `#run-${idOf(name)}`).sort()),
    {
      holds: `${names.length}, those of the site`,
      fails: 'not those of the site',
    },
  );
  for (const name of names) yield orNotChecked(`provenance of ${name}`, () => runFinding(folder, name, digests));
  yield* numberFindings(folder, names);
  const { checked, dead } = checkLinks(folder, [...digests.keys()]);
  yield asFinding('links', dead.length === 0, { holds: `${checked} lead somewhere`, fails: dead.join('; ') });
  if (!evaluate) {
    console.log('not checked: weights on data (--evaluate evaluates them again, where the data is at hand)');
    return;
  }
  for (const name of names) {
    console.log(`evaluated again: ${name}`);
    try {
      yield* withRunFolder(folder, name, evaluate);
    } catch (error) {
      yield notChecked(name, error);
    }
  }
}

const asFinding = (what: string, holds: boolean, words: { holds: string; fails: string }): Finding => ({
  ...{ what, holds, found: holds ? words.holds : words.fails },
});

/** A finding, or that a file of a damaged site does not allow it. */
function orNotChecked(what: string, find: () => Finding): Finding {
  try {
    return find();
  } catch (error) {
    return notChecked(what, error);
  }
}

/** What differs by file, and what does not by folder. */
function* fileFindings(graph: readonly CrateEntity[], digests: ReadonlyMap<string, string>): Generator<Finding> {
  const listed = new Map(
    graph.flatMap((entity) =>
      entity['@type'] === 'File' ? [[entity.name as string, entity.sha256 as string] as const] : [],
    ),
  );
  const unchanged = new Map<string, number>();
  for (const [file, sha256] of listed) {
    const now = digests.get(file);
    const top = file.startsWith('runs/')
      ? file.split('/').slice(0, 2).join('/')
      : file.includes('/')
        ? dirname(file)
        : '.';
    if (now === sha256) unchanged.set(top, (unchanged.get(top) ?? 0) + 1);
    else yield { what: file, holds: false, found: now === undefined ? 'missing' : 'changed since it was published' };
  }
  for (const file of digests.keys()) {
    if (file !== crateName && !listed.has(file)) yield { what: file, holds: false, found: 'not a file of the site' };
  }
  for (const [top, count] of unchanged) yield { what: `files of ${top}`, holds: true, found: `${count} unchanged` };
}

/** Whether a run's files are those that it left, but for those that the site says it altered. */
function runFinding(site: string, name: string, digests: ReadonlyMap<string, string>): Finding {
  const folder = join(site, 'runs', name);
  const { files, published } = readOfRun<FinishedRun & PublishedProvenance>(folder, 'provenance.json');
  const altered = new Map(published?.altered.map(({ file, original }) => [file, original]));
  const counts = { same: 0, altered: 0, 'not published': 0 };
  const wrong: string[] = [];
  for (const [file, sha256] of Object.entries(files)) {
    const path = isWeights(file) ? weightsPath(sha256) : `runs/${name}/${file}`;
    const now = digests.get(path);
    if (now === sha256) counts.same++;
    else if (now !== undefined && altered.get(file) === sha256) counts.altered++;
    else if (now === undefined && isWeights(file)) counts['not published']++;
    else wrong.push(file);
  }
  const words = Object.entries(counts).filter(([, count]) => count > 0);
  return asFinding(`provenance of ${name}`, wrong.length === 0, {
    holds: words.map(([what, count]) => `${count} ${what === 'same' ? 'as the run left them' : what}`).join(', '),
    fails: `not as the run left them: ${wrong.join(', ')}`,
  });
}

function* numberFindings(folder: string, names: readonly string[]): Generator<Finding> {
  let kept: readonly Result[];
  try {
    kept = readOfRun<{ results: readonly Result[] }>(folder, 'results.json').results;
    if (!Array.isArray(kept)) throw new UsageError('results.json has no list "results"');
  } catch (error) {
    yield notChecked('numbers', error);
    return;
  }
  for (const name of new Set([...names, ...kept.map(({ run }) => run)])) {
    yield orNotChecked(`numbers of ${name}`, () => {
      const theirs = kept.filter(({ run }) => run === name);
      const ours = names.includes(name) ? resultsOf(folder, name) : [];
      return asFinding(`numbers of ${name}`, canonicalJson(theirs) === canonicalJson(ours), {
        holds: `${theirs.length}, those of its metrics.json`,
        fails: 'results.json does not have those of its metrics.json',
      });
    });
  }
}

/** The run as it was, with its weights in their places, in a folder of links. */
async function* withRunFolder(
  site: string,
  name: string,
  evaluate: (run: FinishedRun) => AsyncGenerator<Finding>,
): AsyncGenerator<Finding> {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-site-'));
  try {
    const source = resolve(site, 'runs', name);
    const { files } = readFinishedRun(source);
    // The names are the site's: none leads out of the folder.
    const weights = Object.entries(files).filter(([file]) => isWeights(file) && !/^\/|(^|\/)\.\.(\/|$)/.test(file));
    const links = [
      ...filesIn(source).map((file) => [file, join(source, file)] as const),
      ...weights.map(([file, sha256]) => [file, resolve(site, weightsPath(sha256))] as const),
    ];
    for (const [file, target] of links) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      if (existsSync(target)) await symlink(target, join(folder, file));
    }
    yield* evaluate(readFinishedRun(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
