import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/files.js';
import { foreignCells, readNotebookCells } from '../../src/runs/notebook-cells.js';
import { commandFor } from '../../src/runs/provenance.js';
import { attemptIn, listRuns, openRun, runFolderFor, runIdentity } from '../../src/runs/run-folder.js';

let root: string;
const notebookFile = () => join(root, 'notebooks', 'demo.ipynb');
const cell = (source: string, tags: string[] = [], outputs: unknown[] = []) => ({
  cell_type: 'code',
  source: [source],
  metadata: { tags },
  outputs,
});
const writeNotebook = (...cells: object[]) => writeFileSync(notebookFile(), JSON.stringify({ cells }));

const facts = { seed: 5, device: { type: 'cpu' }, data: [] };
const runsRoom = pathToFileURL(join(projectRoot, 'dist', 'runs', 'index.js')).href;
const contentsOf = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')]);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-runs-'));
  for (const name of ['src', 'notebooks', 'data-manifests', 'kernel-setup/native']) {
    mkdirSync(join(root, name), { recursive: true });
  }
  cpSync('package-lock.json', join(root, 'package-lock.json'));
  writeFileSync(join(root, 'src', 'a.ts'), 'export {}');
  writeNotebook(cell('let scale = 1'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a run', () => {
  it('keeps its folder while nothing that decides the result changes', () => {
    const folder = runFolderFor('demo', { scale: 'smoke', seed: 1 }, root);
    expect(folder).toMatch(/results\/runs\/demo-smoke-[0-9a-f]{8}$/);
    expect(
      runFolderFor('demo', { seed: 1, out: 'elsewhere', processes: 2, epochs: undefined, scale: 'smoke' }, root),
    ).toBe(folder);
    writeNotebook(cell('let scale = 1', [], [{ output: 1 }]), cell('seed = 1', ['injected-parameters']));
    expect(runFolderFor('demo', { scale: 'smoke', seed: 1 }, root)).toBe(folder);
  });

  it('gets another folder with other parameters, source, native ops, notebook code or manifests', () => {
    const folder = () => runFolderFor('demo', { scale: 'smoke', seed: 1 }, root);
    const seen = [folder(), runFolderFor('demo', { scale: 'smoke', seed: 2 }, root)];
    writeFileSync(join(root, 'src', 'a.ts'), 'export const changed = 1');
    seen.push(folder());
    writeFileSync(join(root, 'kernel-setup/native', 'op.cc'), 'int changed;');
    seen.push(folder());
    writeNotebook(cell('let scale = 2'));
    seen.push(folder());
    writeFileSync(join(root, 'data-manifests', 'm.json'), '{}');
    seen.push(folder());
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('need not have a scale, and has a notebook', () => {
    expect(runIdentity('demo', {}, root).scale).toBe('own');
    expect(() => runIdentity('demo', { scale: 3 }, root)).toThrow(/scale/);
    expect(() => runIdentity('absent', { scale: 'smoke' }, root)).toThrow(/no notebook .*absent/);
  });

  it('writes parameters, events, metrics and provenance', async () => {
    const run = await openRun({ notebook: 'demo', parameters: { scale: 'smoke', seed: 5, epochs: undefined }, root });
    void run.emit({ kind: 'step', step: 1, loss: 2.5 });
    const own = { ...facts, data: [{ name: 'none' }], choices: { forms: 'a' } };
    const metrics = [{ name: 'accuracy', value: 0.5, interval: [0.4, 0.6] as const }];
    const provenance = await run.keep({ ...own, metrics });
    const read = (name: string) => readFileSync(join(run.folder, name), 'utf8');
    expect(JSON.parse(read('parameters.json'))).toEqual({ scale: 'smoke', seed: 5 });
    const events = read('events.jsonl')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; time: string });
    expect(events.map((event) => event.kind)).toEqual(['opened', 'step']);
    expect(Number.isNaN(Date.parse(events[1]!.time))).toBe(false);
    expect(JSON.parse(read('metrics.json'))).toEqual({ notebook: 'demo', scale: 'smoke', edited: false, metrics });
    expect(JSON.parse(read('provenance.json'))).toEqual(provenance);
    expect(provenance).toMatchObject({ ...own, splits: {}, weights: {} });
    expect(provenance.versions['@tensorflow/tfjs-node-gpu']).toBe('4.22.0');
    expect(commandFor(run)).toBe('npm run notebook -- demo -p scale smoke -p seed 5');
    expect(listRuns(root)).toEqual([run.folder]);
  });

  it('is finished by its provenance, writes neither file for a metric that is not a number, and is not changed then', async () => {
    const run = await openRun({ notebook: 'demo', parameters: { scale: 'smoke' }, root });
    for (const broken of [
      { name: 'loss', value: Number.NaN },
      { name: 'loss', value: 1, interval: [0, Number.NaN] as const },
    ]) {
      await expect(run.keep({ ...facts, metrics: [broken] })).rejects.toThrow(/"loss" is NaN/);
    }
    expect(readdirSync(run.folder).filter((name) => name.endsWith('.json'))).toEqual(['parameters.json']);
    writeFileSync(run.figure('a.png'), 'a');
    const { files, attempt, repeats } = await run.keep({ ...facts, metrics: [{ name: 'accuracy', value: 0.5 }] });
    expect(Object.keys(files)).toEqual(['figures/a.png', 'metrics.json', 'parameters.json']);
    expect([attempt, repeats]).toEqual([1, null]);
    expect(() => run.figure('a.png')).toThrow(/is finished, and a finished run is not changed/);
    await expect(run.keep({ ...facts, metrics: [] })).rejects.toThrow(/is finished/);
    await expect(run.write('parameters.json', {})).rejects.toThrow(/is finished/);
  });

  it('goes on in another folder once it is finished, and says which files came out the same', async () => {
    const open = () => openRun({ notebook: 'demo', parameters: { scale: 'smoke' }, root });
    const first = await open();
    expect((await open()).folder).toBe(first.folder);
    await (await open()).keep({ ...facts, metrics: [{ name: 'accuracy', value: 0.5 }] });
    const before = contentsOf(first.folder);
    const second = await open();
    expect([second.folder, second.attempt]).toEqual([`${first.folder}-2`, 2]);
    const { repeats } = await second.keep({ ...facts, metrics: [{ name: 'accuracy', value: 0.6 }] });
    expect(repeats).toEqual({ same: ['parameters.json'], different: ['metrics.json'] });
    expect(contentsOf(first.folder)).toEqual(before);
    expect((await open()).folder).toBe(`${first.folder}-3`);
    // As a runner does, which chooses the attempt's folder.
    const third = await openRun({ notebook: 'demo', parameters: { scale: 'smoke' }, out: `${first.folder}-3`, root });
    expect([third.folder, third.attempt]).toEqual([`${first.folder}-3`, 3]);
    expect((await third.keep({ ...facts, metrics: [] })).repeats?.same).toEqual(['parameters.json']);
    // A folder that is asked for is taken, whatever others there are.
    expect(attemptIn(`${first.folder}-7`)).toMatchObject({ folder: `${first.folder}-7`, attempt: 7 });
  });

  it('is written by one process at a time, and the other is told by which', async () => {
    const folder = runFolderFor('demo', { scale: 'smoke' }, root);
    mkdirSync(folder, { recursive: true });
    const program = `const { lockFolder } = await import(${JSON.stringify(runsRoom)});
      await lockFolder(${JSON.stringify(folder)}, 'run'); console.log('locked'); setTimeout(() => {}, 60_000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout!, 'data');
    const open = () => openRun({ notebook: 'demo', parameters: { scale: 'smoke' }, root });
    await expect(open()).rejects.toThrow(
      new RegExp(`is being written by process ${child.pid} on .*: wait until it ends`),
    );
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect((await open()).folder).toBe(folder);
  });
});

describe('a run in a kernel', () => {
  let executed: string[];
  beforeEach(() => {
    writeNotebook(
      cell('let scale = 1; // size\nlet seed: number | undefined; // of all', ['parameters']),
      cell('train(scale)'),
    );
    (globalThis as Record<symbol, unknown>)[kernel] = { executedCells: () => executed };
  });
  afterEach(() => {
    delete (globalThis as Record<symbol, unknown>)[kernel];
  });
  const kernel = Symbol.for('pathlab.kernel');
  const parameters = { scale: 'smoke' };

  it("is the notebook's while its cells are, whatever parameters were set", async () => {
    executed = [];
    const folder = runFolderFor('demo', parameters, root);
    executed = [
      '// Parameters\nscale = "smoke";\nvoid 0;\n',
      'let scale = 2;\nlet seed: number | undefined = 7; // mine',
      'train(scale)\n',
    ];
    expect(runFolderFor('demo', parameters, root)).toBe(folder);
    const run = await openRun({ notebook: 'demo', parameters, root });
    expect(run.parts['executed cells']).toBe("the notebook's");
    expect((await run.keep({ ...facts, metrics: [] })).edited).toEqual([]);
  });

  it('is another where a cell was edited before, and is marked where one was edited after', async () => {
    executed = ['train(scale)'];
    const run = await openRun({ notebook: 'demo', parameters, root });
    executed = ['train(scale)', 'train(2 * scale)'];
    expect(runFolderFor('demo', parameters, root)).not.toBe(run.folder);
    expect(run.parts['executed cells']).toMatch(
      /^1 not of the notebook's file, as "train\(2 \* scale\)": restart the kernel .*; [0-9a-f]{64}$/,
    );
    expect((await run.keep({ ...facts, metrics: [] })).edited).toEqual(['train(2 * scale)']);
    expect(JSON.parse(readFileSync(join(run.folder, 'metrics.json'), 'utf8')).edited).toBe(true);
  });

  it('does not take parameters that were set after it was opened for its own', async () => {
    executed = ['let seed = 9;'];
    const run = await openRun({ notebook: 'demo', parameters: { ...parameters, seed: 5 }, root });
    executed = ['let seed = 9;', 'seed = 7;'];
    expect(run.parts['executed cells']).toMatch(/^1 not of the notebook's file, as "seed = 7;"/);
    await expect(run.keep({ ...facts, seed: 7, metrics: [] })).rejects.toThrow(/opened with seed 5, .* have seed 7/);
    expect((await run.keep({ ...facts, metrics: [] })).edited).toEqual(['seed = 7;']);
  });

  it.each(['scale = "/a (copy); b/c.csv"', '/* mine */ let seed = [1, { a: -2 }]', 'seed = undefined; void 0;'])(
    'takes %j for setting parameters',
    (source) => {
      executed = [source];
      expect(foreignCells(readNotebookCells(notebookFile()))).toEqual([]);
    },
  );

  it.each([
    'seed = 1; train(3)',
    'seed = train(3);',
    'seed = scale.length = 3;',
    'seed = 2, scale.x = 99;',
    'seed: await hack(1);',
    'seed = train(3);\nother = 1;',
    'let scale = 1\ntrain(2);',
  ])('takes %j for an edit', (source) => {
    executed = [source];
    expect(foreignCells(readNotebookCells(notebookFile()))).toEqual([source]);
  });
});
