import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { runNotebook } from '../../src/cli/run.js';
import { resultsInputs } from '../../src/experiments/index.js';
import { runFolderFor } from '../../src/runs/index.js';
import { fakeRun } from '../experiments/fake-runs.js';

/** A project without runs; the rest is this one's. */
let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'run-results-'));
  mkdirSync(join(root, 'kernel-setup'));
  for (const name of ['src', 'notebooks', 'kernel-setup/native', 'data-manifests', 'package-lock.json'])
    symlinkSync(join(projectRoot, name), join(root, name));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('takes a finished page of results as it is until the runs that it reads change', async () => {
  const said = vi.spyOn(console, 'log').mockImplementation(() => {});
  const parameters = { scale: 'smoke', seed: 1 } as const;
  const folderNow = async () => runFolderFor('40-results', parameters, root, await resultsInputs(parameters, root));
  await fakeRun(join(root, 'results', 'runs', 'one'), { arms: { random: [0.5] } });
  const folder = await folderNow();
  mkdirSync(folder, { recursive: true });
  for (const name of ['parameters.json', 'provenance.json', 'notebook.html']) writeFileSync(join(folder, name), '{}');
  const run = await runNotebook('40-results', parameters, root);
  expect(run).toEqual({ folder, status: 'finished', page: join(folder, 'notebook.html') });
  expect(said.mock.calls.flat()).toEqual([expect.stringContaining(`since ${basename(folder)}: it is taken as it is`)]);
  await fakeRun(join(root, 'results', 'runs', 'two'), { arms: { random: [0.5] }, seed: 2 });
  const after = await folderNow();
  expect(after).not.toBe(folder);
  rmSync(join(root, 'results', 'runs', 'two'), { recursive: true });
  expect(await folderNow()).toBe(folder);
  said.mockRestore();
});
