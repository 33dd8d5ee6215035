import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { folderOfJob, jobsToRun, stateOfJob, unfinishedJobs, withoutMissing } from '../../src/cli/matrix/state.js';
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

it('is not finished in a matrix before its runs are, nor when they are other ones', async () => {
  const job = {
    ...{
      id: '40-results-smoke-1',
      notebook: '40-results',
      folder: '',
      needs: [],
      after: ['of-a-matrix'],
      resources: {},
    },
    parameters: { scale: 'smoke', from: 'results/runs/of-a-matrix' },
  };
  expect(await folderOfJob(job, root)).toBeUndefined();
  expect(await stateOfJob(job, root)).toBe('new');
  const run = join(root, 'results', 'runs', 'of-a-matrix');
  await fakeRun(run, { arms: { random: [0.5] } });
  const folder = (await folderOfJob(job, root))!;
  expect(await stateOfJob(job, root)).toBe('new');
  mkdirSync(folder, { recursive: true });
  for (const name of ['provenance.json', 'notebook.html']) writeFileSync(join(folder, name), '{}');
  expect(await stateOfJob(job, root)).toBe('finished');
  expect(await unfinishedJobs([job], root)).toEqual([]);
  rmSync(run, { recursive: true });
  await fakeRun(run, { arms: { random: [0.25] } });
  expect(await unfinishedJobs([job], root)).toEqual([job]);

  // One of its runs failed before it had a folder: the page of the other one counts until that one is there.
  const missing = { ...job, id: 'missing', notebook: '15-pretrain-mae', folder: join(root, 'results/runs/missing') };
  const both = { ...job, after: ['of-a-matrix', 'missing'] };
  both.parameters = { ...job.parameters, from: 'results/runs/of-a-matrix,results/runs/missing' };
  expect(withoutMissing(both, root)).toEqual({ parameters: job.parameters, missing: ['results/runs/missing'] });
  const page = (await folderOfJob(both, root))!;
  expect(page).toBe(await folderOfJob(job, root));
  mkdirSync(page, { recursive: true });
  for (const name of ['provenance.json', 'notebook.html']) writeFileSync(join(page, name), '{}');
  expect(await unfinishedJobs([missing, both], root)).toEqual([missing]);
  expect(await jobsToRun([missing, both], root)).toEqual([missing, both]);
  // A folder that is not the matrix's must be there.
  expect(await folderOfJob({ ...both, after: ['of-a-matrix'] }, root)).toBeUndefined();
});
