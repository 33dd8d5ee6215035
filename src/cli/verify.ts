import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfFile } from '../base/index.js';
import { isFineTuning, isPretraining, runsReadHash } from '../experiments/index.js';
import { type Finding, notChecked, tolerance } from './finding.js';
import { type FinishedRun, readFinishedRun } from './finished-run.js';
import { hashesNow } from './hashes-now.js';
import { parseOptions } from './options.js';
import { crateName } from './publish/crate.js';
import { isSite } from './publish/site-files.js';
import { siteFindings } from './publish/verify-site.js';
import { UsageError } from './usage-error.js';
import { fineTuningFindings } from './verify-fine-tuning.js';
import { pretrainingFindings } from './verify-pretraining.js';

const help = `pathlab verify RUN_OR_SITE

Checks a finished run (its folder): whether its files are unchanged, whether code, notebook and data definitions are
still the same, whether data and split are the same, and whether its weights, evaluated again, reproduce its metrics to
${tolerance} percentage points or one patch. Of a fine-tuning run, the metrics are computed again from the kept predictions,
and each kept model predicts the test patches again. Runs of other notebooks are not evaluated again.

Of a site of \`pathlab publish\`, also of a copy elsewhere: every file against the crate, the files of each run against its
provenance, every number against the run's metrics, and all links. Neither data nor results of this project are needed.

  --evaluate  of a site: also evaluate weights again, where the data is at hand

The exit code is 0 if everything matches, and 2 if something does not.
`;

/**
 * The command `pathlab verify`.
 *
 * @param args what follows `verify` on the command line
 * @returns the exit code: 0, or 2 if something does not match
 * @throws UsageError with a message for the user
 */
export async function verify(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions('verify', {
    args: [...args],
    allowPositionals: true,
    options: { evaluate: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  if (where === undefined || others.length > 0)
    throw new UsageError('verify takes one RUN or SITE (see pathlab verify --help)');
  const ofSite = isSite(where);
  if (values.evaluate && !ofSite) throw new UsageError('--evaluate is for a site; a run is always evaluated again');
  let wrong = 0;
  const all = ofSite ? siteFindings(where, values.evaluate ? ofPublished : undefined) : findings(where);
  for await (const { what, holds, found } of all) {
    if (!holds) wrong++;
    console.log(`${holds ? 'ok    ' : 'FAILED'}  ${what}: ${found}`);
  }
  if (ofSite) console.log(`SHA-256 of ${crateName}: ${await digestOfFile(join(where, crateName))}`);
  console.log(wrong === 0 ? 'Everything matches.' : `${wrong} ${wrong === 1 ? 'check' : 'checks'} failed.`);
  return wrong === 0 ? 0 : 2;
}

async function* findings(where: string): AsyncGenerator<Finding> {
  const run = readFinishedRun(where);
  for (const [name, sha256] of Object.entries(run.files)) {
    const path = join(run.folder, name);
    const now = existsSync(path) ? await digestOfFile(path) : undefined;
    const found = now === undefined ? 'missing' : now === sha256 ? 'unchanged' : 'changed since the run';
    yield { what: name, holds: now === sha256, found };
  }
  yield {
    what: 'executed cells',
    holds: run.edited.length === 0,
    found: run.edited.length === 0 ? "the notebook's" : `${run.edited.length} are not the notebook's`,
  };
  yield* evaluationFindings(run);
}

/** The same of a run in a site, which need not have all runs that a page of results read. */
const ofPublished = (run: FinishedRun) => evaluationFindings(run, { inputs: false });

/** Whether code and data are a run's, and its weights reproduce its metrics. */
async function* evaluationFindings(run: FinishedRun, options = { inputs: true }): AsyncGenerator<Finding> {
  try {
    yield* codeFindings(run, options);
  } catch (error) {
    yield notChecked('code', error);
  }
  try {
    if (isPretraining(run.notebook)) yield* pretrainingFindings(run);
    else if (isFineTuning(run.notebook)) yield* fineTuningFindings(run);
    else console.log(`not evaluated again: the metrics of ${run.notebook}`);
  } catch (error) {
    yield notChecked('metrics', error);
  }
}

async function* codeFindings(run: FinishedRun, options: { inputs: boolean }): AsyncGenerator<Finding> {
  const hashes = await hashesNow(run, options);
  for (const [name, sha256] of Object.entries(run.hashes)) {
    if (name === runsReadHash && !options.inputs) {
      console.log('not checked: whether its tables are of all runs that it read; a site has only those published');
      continue;
    }
    const holds = hashes[name] === sha256;
    yield { what: name, holds, found: holds ? 'unchanged' : 'changed since the run' };
  }
}
