import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { projectRoot } from '../../../src/base/index.js';
import { estimator } from '../../../src/cli/matrix/estimate.js';

const root = mkdtempSync(join(tmpdir(), 'pathlab-estimate-'));
symlinkSync(join(projectRoot, 'notebooks'), join(root, 'notebooks'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const estimated = (notebook: string, parameters: object) =>
  estimator(root)({
    ...{ id: '', notebook, folder: '', needs: [], after: [], resources: {} },
    parameters: { scale: 'demo', ...parameters },
  });

/** A finished run of an hour. */
function pastRun(name: string, notebook: string, parameters: object) {
  const folder = join(root, 'results/runs', name);
  mkdirSync(folder, { recursive: true });
  const write = (file: string, content: object) => writeFileSync(join(folder, file), JSON.stringify(content));
  write('events.jsonl', { kind: 'opened' });
  write('provenance.json', { notebook, started: '2026-01-01T00:00:00Z', ended: '2026-01-01T01:00:00Z' });
  write('parameters.json', { scale: 'demo', ...parameters });
}

test('a page of results takes what its notebook says, whatever it reads', () =>
  expect(estimated('40-results', { from: 'results/runs/a,results/runs/b' }).hours).toBeCloseTo(0.5 / 60));

test('a fine-tuning takes its time for each arm, and is not known from runs and pages whose arms are not', () => {
  const notebook = '20-finetune-ptcga200';
  expect(estimated(notebook, {}).hours).toBeCloseTo(1 / 60);
  expect(estimated(notebook, { init: 'random,results/runs/a' }).hours).toBeUndefined();
  pastRun('default', notebook, {});
  expect(estimated(notebook, { init: 'random' }).hours).toBeUndefined();
  pastRun('two', notebook, { init: 'random,results/runs/a', seed: 2 });
  const { hours, bytes, from } = estimated(notebook, { init: 'random,results/runs/b,c,d' });
  expect({ hours, from }).toEqual({ hours: 2, from: 'an earlier run' });
  expect(bytes).toBe(2 * estimated(notebook, { init: 'a,b' }).bytes!);
});

test('a pretraining takes as long with any first weights', () => {
  pastRun('pretraining', '11-pretrain-simclr', { init: 'random' });
  expect(estimated('11-pretrain-simclr', { init: 'a' }).hours).toBe(1);
});
