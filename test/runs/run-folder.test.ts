import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { commandFor } from '../../src/runs/provenance.js';
import { listRuns, openRun, runFolderFor, runIdentity } from '../../src/runs/run-folder.js';

let root: string;
const notebookFile = () => join(root, 'notebooks', 'demo.ipynb');
const cell = (source: string, tags: string[] = [], outputs: unknown[] = []) => ({
  cell_type: 'code',
  source: [source],
  metadata: { tags },
  outputs,
});
const writeNotebook = (...cells: object[]) => writeFileSync(notebookFile(), JSON.stringify({ cells }));

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-runs-'));
  for (const name of ['src', 'notebooks', 'data-manifests']) mkdirSync(join(root, name));
  cpSync('package-lock.json', join(root, 'package-lock.json'));
  writeFileSync(join(root, 'src', 'a.ts'), 'export {}');
  writeNotebook(cell('let scale = 1'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a run', () => {
  it('keeps its folder while nothing that decides the result changes', () => {
    const folder = runFolderFor('demo', { scale: 'smoke', seed: 1 }, root);
    expect(folder).toMatch(/results\/runs\/demo-smoke-[0-9a-f]{8}$/);
    expect(runFolderFor('demo', { seed: 1, out: 'elsewhere', epochs: undefined, scale: 'smoke' }, root)).toBe(folder);
    writeNotebook(cell('let scale = 1', [], [{ output: 1 }]), cell('seed = 1', ['injected-parameters']));
    expect(runFolderFor('demo', { scale: 'smoke', seed: 1 }, root)).toBe(folder);
  });

  it('gets another folder with other parameters, source, notebook code or manifests', () => {
    const folder = () => runFolderFor('demo', { scale: 'smoke', seed: 1 }, root);
    const seen = [folder(), runFolderFor('demo', { scale: 'smoke', seed: 2 }, root)];
    writeFileSync(join(root, 'src', 'a.ts'), 'export const changed = 1');
    seen.push(folder());
    writeNotebook(cell('let scale = 2'));
    seen.push(folder());
    writeFileSync(join(root, 'data-manifests', 'm.json'), '{}');
    seen.push(folder());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('refuses to be without a scale or a notebook', () => {
    expect(() => runIdentity('demo', {}, root)).toThrow(/scale/);
    expect(() => runIdentity('absent', { scale: 'smoke' }, root)).toThrow(/no notebook .*absent/);
  });

  it('writes parameters, events, metrics and provenance', async () => {
    const run = await openRun({ notebook: 'demo', parameters: { scale: 'smoke', seed: 5, epochs: undefined }, root });
    void run.emit({ kind: 'step', step: 1, loss: 2.5 });
    const facts = { seed: 5, device: { type: 'cpu' }, data: [{ name: 'none' }], choices: { forms: 'a' } };
    const metrics = [{ name: 'accuracy', value: 0.5, interval: [0.4, 0.6] as const }];
    const provenance = await run.keep({ ...facts, metrics });
    const read = (name: string) => readFileSync(join(run.folder, name), 'utf8');
    expect(JSON.parse(read('parameters.json'))).toEqual({ scale: 'smoke', seed: 5 });
    const events = read('events.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; time: string });
    expect(events.map((event) => event.kind)).toEqual(['opened', 'step']);
    expect(Number.isNaN(Date.parse(events[1]!.time))).toBe(false);
    expect(JSON.parse(read('metrics.json'))).toEqual({ notebook: 'demo', scale: 'smoke', metrics });
    expect(JSON.parse(read('provenance.json'))).toEqual(provenance);
    expect(provenance).toMatchObject({ ...facts, splits: {}, weights: {} });
    expect(provenance.versions['@tensorflow/tfjs-node-gpu']).toBe('4.22.0');
    expect(commandFor(run)).toBe('npm run notebook -- demo -p scale smoke -p seed 5');
    expect(listRuns(root)).toEqual([run.folder]);
  });

  it('keeps a provenance only beside its own metrics', async () => {
    const run = await openRun({ notebook: 'demo', parameters: { scale: 'smoke' }, root });
    const facts = { seed: 5, device: { type: 'cpu' }, data: [] };
    const provenance = await run.keep({ ...facts, metrics: [{ name: 'accuracy', value: 0.5 }] });
    const read = (name: string) => JSON.parse(readFileSync(join(run.folder, name), 'utf8'));
    for (const broken of [
      { name: 'loss', value: Number.NaN },
      { name: 'loss', value: 1, interval: [0, Number.NaN] as const },
    ]) {
      await expect(run.keep({ ...facts, metrics: [broken] })).rejects.toThrow(/"loss" is NaN/);
    }
    expect(read('provenance.json')).toEqual(provenance);
    expect(read('metrics.json').metrics[0].value).toBe(0.5);

    // Where the metrics cannot be written, the provenance of the earlier ones does not stay.
    rmSync(join(run.folder, 'metrics.json'));
    mkdirSync(join(run.folder, 'metrics.json'));
    await expect(run.keep({ ...facts, metrics: [] })).rejects.toThrow();
    expect(existsSync(join(run.folder, 'provenance.json'))).toBe(false);
  });
});
