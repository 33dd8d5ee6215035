// jupyter_kernel_test, the public test suite of the Jupyter protocol, on our kernel and on tslab as it ships.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { peerPython } from './peer-environment.mjs';
import { bothKernels } from './plain-tslab.mjs';
import { reportValue } from './report.mjs';

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
  reportValue('kernel-protocol', {
    work: "The Jupyter protocol's public test suite",
    columns: { test: 'test', pathlab: 'pathlab', tslab: 'tslab as it ships' },
    rows,
    value: rows.filter((row) => row.pathlab === 'passed').length,
    unit: `of ${rows.length} tests passed`,
  });
  process.exitCode = rows.some((row) => row.pathlab.startsWith('failed')) ? 1 : 0;
} finally {
  remove();
}
