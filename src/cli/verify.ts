import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfFile } from '../base/index.js';
import { isFineTuning, isPretraining } from '../experiments/index.js';
import { runIdentity } from '../runs/index.js';
import { type Finding, notChecked, tolerance } from './finding.js';
import { type FinishedRun, readFinishedRun } from './finished-run.js';
import { parseOptions } from './options.js';
import { UsageError } from './usage-error.js';
import { fineTuningFindings } from './verify-fine-tuning.js';
import { pretrainingFindings } from './verify-pretraining.js';

const help = `pathlab verify RUN

Checks a finished run (RUN is its folder): whether its files are unchanged, whether code, notebook and data definitions are
still the same, whether data and split are the same, and whether its weights, evaluated again, reproduce its metrics to
${tolerance} percentage points or one patch. Of a fine-tuning run, the metrics are computed again from the kept predictions,
and each kept model predicts the test patches again. Runs of other notebooks are not evaluated again.

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
    options: { help: { type: 'boolean', short: 'h' } },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const [where, ...others] = positionals;
  if (where === undefined || others.length > 0)
    throw new UsageError('verify takes one RUN (see pathlab verify --help)');
  const run = readFinishedRun(where);
  let wrong = 0;
  for await (const { what, holds, found } of findings(run)) {
    if (!holds) wrong++;
    console.log(`${holds ? 'ok    ' : 'FAILED'}  ${what}: ${found}`);
  }
  console.log(wrong === 0 ? 'Everything matches.' : `${wrong} ${wrong === 1 ? 'check' : 'checks'} failed.`);
  return wrong === 0 ? 0 : 2;
}

async function* findings(run: FinishedRun): AsyncGenerator<Finding> {
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
  try {
    yield* codeFindings(run);
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

function* codeFindings(run: FinishedRun): Generator<Finding> {
  const { hashes } = runIdentity(run.notebook, run.parameters);
  for (const [name, sha256] of Object.entries(run.hashes)) {
    const holds = (hashes as Record<string, string>)[name] === sha256;
    yield { what: name, holds, found: holds ? 'unchanged' : 'changed since the run' };
  }
}
