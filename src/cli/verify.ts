import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { digestOfFile, InterruptedError } from '../base/index.js';
import type { FeatureComparison } from '../evaluate/index.js';
import { isPretraining, pretrainingData } from '../experiments/index.js';
import { compareWithBaselines, comparisonMetrics, initialFilesOf } from '../report/index.js';
import { type Metric, runIdentity } from '../runs/index.js';
import { encoderOf, experimentOf, type FinishedRun, readFinishedRun, readOfRun } from './finished-run.js';
import { parseOptions } from './options.js';
import { UsageError } from './usage-error.js';

/** Percentage points. Rounding differs between machines and may change the class of a patch: one is always allowed. */
const tolerance = 0.5;

const help = `pathlab verify RUN

Checks a finished run (RUN is its folder): whether its files are unchanged, whether code, notebook and data definitions are
still the same, whether data and split are the same, and whether its weights, evaluated again, reproduce its metrics to
${tolerance} percentage points or one patch. Only pretraining runs are evaluated again.

The exit code is 0 if everything matches, and 2 if something does not.
`;

interface Finding {
  what: string;
  holds: boolean;
  found: string;
}

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
  const { hashes } = runIdentity(run.notebook, run.parameters);
  for (const [name, sha256] of Object.entries(run.hashes)) {
    const holds = (hashes as Record<string, string>)[name] === sha256;
    yield { what: name, holds, found: holds ? 'unchanged' : 'changed since the run' };
  }
  if (isPretraining(run.notebook)) yield* evaluatedAgain(run);
  else console.log(`not evaluated again: the metrics of ${run.notebook}`);
}

/** Opens the data of a pretraining run and evaluates its weights again. */
async function* evaluatedAgain(run: FinishedRun): AsyncGenerator<Finding> {
  const experiment = experimentOf(run);
  const data = await pretrainingData(experiment);
  const { indexSha256, report } = data.dataset;
  const isSame = run.data.some(({ sha256 }) => sha256 === indexSha256);
  yield { what: `patches of ${report.dataset}`, holds: isSame, found: isSame ? 'unchanged' : 'different' };
  const [split] = Object.values(run.splits);
  yield {
    what: 'split',
    holds: split === data.split.sha256,
    found: split === data.split.sha256 ? 'unchanged' : 'different',
  };
  let comparison: FeatureComparison | null;
  try {
    const trained = { encoder: await encoderOf(run, experiment), initialFiles: initialFilesOf(run.weights) };
    comparison = await compareWithBaselines(experiment, data, trained);
  } catch (error) {
    if (error instanceof InterruptedError) throw error;
    yield { what: 'metrics', holds: false, found: `not evaluated again: ${(error as Error).message}` };
    return;
  }
  const { metrics } = readOfRun<{ metrics: Metric[] }>(run.folder, 'metrics.json');
  if (!comparison) console.log('not evaluated again: no patch has a class');
  for (const { name, value, unit = '' } of comparison ? comparisonMetrics(comparison, '') : []) {
    const kept = metrics.find((metric) => metric.name === name)?.value;
    const holds = kept !== undefined && Math.abs(kept - value) <= Math.max(tolerance, 100 / comparison!.patches) + 1e-9;
    const outcome =
      kept === value
        ? 'reproduced'
        : holds
          ? `within the tolerance of the run's ${kept}`
          : `but the run has ${kept ?? 'none'}`;
    yield { what: name, holds, found: `${value} ${unit}, ${outcome}` };
  }
}
