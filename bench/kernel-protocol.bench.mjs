// jupyter_kernel_test, the public test suite of the Jupyter protocol, on our kernel and on tslab as it ships.
import { spawnSync } from 'node:child_process';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { bothKernels } from './plain-tslab.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const python = peerPython('kernel');
const { environment, remove } = bothKernels();

function outcomesOf(kernel) {
  const { stdout, stderr, status } = spawnSync(python, [here('peers/kernel_protocol.py'), kernel], {
    cwd: here('../'),
    env: environment,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`jupyter_kernel_test did not run on ${kernel}:\n${stderr}`);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

try {
  const pathlab = outcomesOf('pathlab');
  const tslab = outcomesOf('tslab');
  const rows = Object.keys(pathlab).map((test) => ({ test, pathlab: pathlab[test], tslab: tslab[test] }));
  const shown = (outcome) => outcome.slice(0, 50).padEnd(52);
  console.log(`${'test'.padEnd(30)}${'pathlab'.padEnd(52)}tslab as it ships`);
  for (const row of rows) console.log(`${row.test.padEnd(30)}${shown(row.pathlab)}${shown(row.tslab).trimEnd()}`);

  const passed = rows.filter((row) => row.pathlab === 'passed').length;
  const file = here('results/kernel-protocol.json');
  mkdirSync(here('results'), { recursive: true });
  const text = JSON.stringify({ name: 'kernel-protocol', date: new Date().toISOString(), rows }, undefined, 2);
  writeFileSync(`${file}.partial`, `${text}\n`);
  renameSync(`${file}.partial`, file);
  console.log(`kernel-protocol: value ${passed} of ${rows.length} tests passed`);
  process.exitCode = rows.some((row) => row.pathlab.startsWith('failed')) ? 1 : 0;
} finally {
  remove();
}
