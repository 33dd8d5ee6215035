// npm run campaign -- published: what `pathlab publish` writes of four runs at smoke scale, read by other programs: MLflow's
// client, an RO-Crate validator, and Chromium, which opens every page in light and dark, as wide as a desktop and a phone.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { writeCampaignResult } from './campaign-result.mjs';
import { peerPython } from './peer-environment.mjs';
import { browse } from './published/browse.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const notebooks = ['01-compile-ptcga200', '11-pretrain-simclr', '20-finetune-ptcga200', '30-segment-segpanda200'];
const pathlab = join(root, 'kernel-setup', 'pathlab.mjs');
const python = peerPython('published');
const rows = [];
let recommended = [];
const check = (what, holds, found) => {
  rows.push({ what, holds, found });
  console.log(`${holds ? 'ok    ' : 'FAILED'}  ${what}: ${typeof found === 'string' ? found : JSON.stringify(found)}`);
};

const folder = mkdtempSync(join(tmpdir(), 'published-'));
try {
  const runs = notebooks.map((name) => {
    const said = output(process.execPath, [pathlab, 'run', name, '-p', 'scale', 'smoke']);
    return join(root, /^run folder\s+(.*)$/m.exec(said)[1]);
  });
  const [site, store] = [join(folder, 'site'), join(folder, 'mlruns')];
  const said = output(process.execPath, [
    pathlab,
    'publish',
    site,
    ...runs,
    '--author',
    'A. Person',
    '--mlflow',
    store,
  ]);
  console.log(/^\d+ files, .*$/m.exec(said)[0]);

  const copy = join(folder, 'copy');
  cpSync(site, copy, { recursive: true });
  rmSync(site, { recursive: true });
  const { status, stdout } = spawnSync(process.execPath, [pathlab, 'verify', copy], { encoding: 'utf8' });
  check('verify of a copy', status === 0, stdout.trimEnd().split('\n').at(-1));

  const crate = JSON.parse(peer('validate_crate.py', copy, 'process-run-crate'));
  check('required of a Process Run Crate', crate.required.length === 0, crate.required);
  recommended = crate.all;

  const stored = JSON.parse(peer('read_mlflow.py', pathToFileURL(store).href));
  for (const run of runs) {
    const { metrics } = JSON.parse(readFileSync(join(run, 'metrics.json'), 'utf8'));
    const theirs = stored.find(({ tags }) => run.endsWith(tags['mlflow.runName']));
    const values = Object.values(theirs?.metrics ?? {}).flatMap((history) => history.map(([, value]) => value));
    const lacking = metrics.filter(({ value }) => !values.includes(value)).map(({ name }) => name);
    const holds = lacking.length === 0 && theirs?.status === 'FINISHED' && theirs.artifacts.includes('metrics.json');
    check(`MLflow: ${theirs?.experiment}`, holds, lacking.length > 0 ? lacking : `${values.length} numbers`);
  }

  const { pages, problems } = await browse(copy);
  check(
    'pages in Chromium, light and dark, 1280 and 390 px wide',
    problems.length === 0,
    problems.length > 0 ? problems : pages,
  );
} finally {
  rmSync(folder, { recursive: true });
}
const held = rows.filter(({ holds }) => holds).length;
writeCampaignResult('published', [], { checks: rows, recommendedButNotMet: recommended });
console.log(`published: value ${held} of ${rows.length} checks hold`);
process.exitCode = held === rows.length ? 0 : 1;

function output(program, args) {
  const { status, stdout } = spawnSync(program, args, {
    ...{ cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] },
  });
  if (status !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${status}`);
  return stdout;
}

function peer(script, ...args) {
  const path = fileURLToPath(new URL(`peers/${script}`, import.meta.url));
  return output(python, [path, ...args])
    .trim()
    .split('\n')
    .at(-1);
}
