import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { projectRoot } from '../../../src/base/index.js';
import { matrixFile, runMatrix, smallRoot } from './small-root.js';

const root = smallRoot();
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** SLURM's commands as programs, and pathlab's own profile with shorter waits. */
function stubs(): { profile: string; env: NodeJS.ProcessEnv } {
  const [programs, state, profile] = ['bin', 'slurm', 'profile'].map((name) => join(root, name));
  for (const folder of [programs!, state!, profile!]) mkdirSync(folder);
  const stub = fileURLToPath(new URL('slurm-stub.mjs', import.meta.url));
  for (const name of ['sbatch', 'srun', 'sacct', 'squeue', 'scancel', 'sinfo', 'scontrol', 'sacctmgr', 'sshare']) {
    writeFileSync(join(programs!, name), `#!/bin/sh\nexec "${process.execPath}" "${stub}" ${name} "$@"\n`);
    chmodSync(join(programs!, name), 0o755);
  }
  const own = readFileSync(join(projectRoot, 'kernel-setup/python/matrix/slurm/config.yaml'), 'utf8');
  const short = { 'latency-wait': 5, retries: 0 };
  const waits = { 'slurm-init-seconds-before-status-checks': 1, 'seconds-between-status-checks': 1 };
  const changed = Object.entries(short).reduce((text, [key, value]) => {
    expect(text).toMatch(new RegExp(`^${key}: \\d+$`, 'm'));
    return text.replace(new RegExp(`^${key}: \\d+$`, 'm'), `${key}: ${value}`);
  }, own);
  const added = Object.entries(waits).map(([key, value]) => `${key}: ${value}\n`);
  writeFileSync(join(profile!, 'config.yaml'), changed + added.join(''));
  const env = { ...process.env, SLURM_STUB: state!, PATH: [programs, process.env.PATH].join(delimiter) };
  return { profile: profile!, env };
}

test('SLURM gets a job a run, with what it asks for, in order; one that fails stops only what needs its result', async () => {
  const { profile, env } = stubs();
  const file = matrixFile(
    root,
    `groups:
  first: { notebook: echo, resources: { gpus: 1, cores: 3, hours: 1.5, memory: 12 } }
  second: { notebook: echo, parameters: { title: $first } }
  bad: { notebook: failing }
  lost: { notebook: echo, parameters: { title: $bad } }`,
  );
  const run = runMatrix(root, [file, '--profile', profile], env);
  expect(await run.code, run.said()).toBe(1);
  expect(run.said()).toContain('2 of 4 runs are finished');
  expect(run.said()).toMatch(/ {2}failed: failing: see results\/runs\/failing-smoke-\w{8}\/notebook.html/);
  expect(run.said()).toMatch(/ {2}not begun: echo, title failing-\S+: it needs failing-/);

  const submitted = readdirSync(env.SLURM_STUB!).flatMap((name) => {
    return name.endsWith('.args') ? [JSON.parse(readFileSync(join(env.SLURM_STUB!, name), 'utf8')) as string[]] : [];
  });
  const of = (name: string) => submitted.filter((args) => args.some((arg) => arg.includes(`rule_run_${name}_`)));
  expect(submitted).toHaveLength(3);
  expect(of('failing')).toHaveLength(1);
  const [first, second] = of('echo').map((args) => args.join(' '));
  expect(first).toMatch(/-t 90 --mem 12000 --requeue --cpus-per-task=3 --signal=INT@300 .*--gpus=1 --wrap=/);
  expect(second).toMatch(/-t 1440 --mem 32000 --requeue --ntasks=1 --cpus-per-task=8 --signal=INT@300/);
  expect(second).not.toContain('--gpus');
}, 180_000);
