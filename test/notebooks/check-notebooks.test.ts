import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  checkNotebooks,
  compilerProblems,
  linterProblems,
  pairProblems,
  sourceProblems,
  syncNotebooks,
} from '../../kernel-setup/check-notebooks.mjs';

const project = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
/** Python with jupytext takes seconds to start on a busy machine. */
const slow = { timeout: 240_000 };

interface Cell {
  cell_type: string;
  metadata: { tags?: string[]; papermill?: object };
  source: string | string[];
  outputs?: object[];
  execution_count?: number | null;
}
interface Notebook {
  cells: Cell[];
  metadata: { kernelspec?: Record<string, string>; jupytext?: object; papermill?: object };
  nbformat: number;
  nbformat_minor: number;
}

const code = (source: string, tags?: string[]): Cell => ({
  cell_type: 'code',
  metadata: tags ? { tags } : {},
  source,
  outputs: [],
  execution_count: null,
});

const small = (): Notebook => ({
  cells: [
    { cell_type: 'markdown', metadata: {}, source: '# A small notebook\n\nWith `code` and *words*.' },
    code('let epochs = 3; // passes over the data', ['parameters']),
    code("import { train } from 'pathlab';"),
    code('train(epochs);'),
  ],
  metadata: {
    kernelspec: { name: 'pathlab', display_name: 'TypeScript (pathlab)', language: 'typescript' },
    jupytext: { formats: 'ipynb,ts:percent' },
  },
  nbformat: 4,
  nbformat_minor: 5,
});

const script = `// ---
// jupyter:
//   jupytext:
//     formats: ipynb,ts:percent
//   kernelspec:
//     display_name: TypeScript (pathlab)
//     language: typescript
//     name: pathlab
// ---

// %% [markdown]
// # A small notebook
//
// With \`code\` and *words*.

// %% tags=["parameters"]
let epochs = 3; // passes over the data

// %%
import { train } from 'pathlab';

// %%
train(epochs);
`;

let root: string;
const at = (name: string) => join(root, 'notebooks', name);
const read = (): Notebook => JSON.parse(readFileSync(at('01-small.ipynb'), 'utf8'));
const write = (notebook: Notebook) => writeFileSync(at('01-small.ipynb'), `${JSON.stringify(notebook, null, 1)}\n`);
const writeScript = (text: string) => writeFileSync(at('01-small.ts'), text);

/** A small project of the same layout, with a package of one function for its notebook. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-check-'));
  for (const folder of ['notebooks', 'src', 'kernel-setup']) mkdirSync(join(root, folder));
  for (const folder of ['node_modules', '.venv']) symlinkSync(join(project, folder), join(root, folder));
  for (const file of [
    'tsconfig.json',
    'biome.json',
    'package.json',
    'notebooks/tsconfig.json',
    'notebooks/biome.json',
    'kernel-setup/check-notebooks.mjs',
  ]) {
    cpSync(join(project, file), join(root, file));
  }
  writeFileSync(join(root, 'src', 'index.ts'), 'export const train = (epochs: number): number => epochs;\n');
  write(small());
  writeScript(script);
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

test('as a command it exits with 0 when all is well, else with 1 and a sentence on what is wrong', slow, () => {
  const run = () =>
    spawnSync(process.execPath, [join(root, 'kernel-setup', 'check-notebooks.mjs')], { encoding: 'utf8' });
  expect(run()).toMatchObject({ status: 0, stderr: '' });
  const notebook = small();
  notebook.cells[2]!.execution_count = 7;
  write(notebook);
  expect(run()).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(
      /^01-small\.ipynb: cell 3 \("import .*"\) has an execution count; run: node .* --sync\n$/,
    ),
  });
});

describe('sourceProblems', () => {
  test('a clean notebook has none', () => {
    expect(sourceProblems(small())).toEqual([]);
  });

  test.each<[fault: string, edit: (notebook: Notebook) => unknown, said: RegExp]>([
    ['no parameters', ({ cells }) => delete cells[1]!.metadata.tags, /one cell must carry the tag "parameters"; 0 do/],
    ['two parameters cells', ({ cells }) => (cells[2]!.metadata.tags = ['parameters']), /tag "parameters"; 2 do/],
    ['an output', ({ cells }) => cells[3]!.outputs!.push({ output_type: 'stream' }), /^cell 4 .* has outputs/],
    [
      'papermill on a cell',
      ({ cells }) => (cells[2]!.metadata.papermill = {}),
      /^cell 3 .* has metadata of a papermill/,
    ],
    ['papermill on the notebook', ({ metadata }) => (metadata.papermill = {}), /^it has metadata of a papermill run/],
    ['injected parameters', ({ cells }) => cells.push(code('', ['injected-parameters'])), /was injected by papermill/],
    ['another kernel', ({ metadata }) => (metadata.kernelspec!.name = 'python3'), /kernelspec\.name must be "pathlab"/],
    ['no pairing', ({ metadata }) => delete metadata.jupytext, /jupytext\.formats must be "ipynb,ts:percent"/],
  ])('%s is found', (_fault, edit, said) => {
    const notebook = small();
    edit(notebook);
    expect(sourceProblems(notebook)).toEqual([expect.stringMatching(said)]);
  });
});

describe('pairProblems', () => {
  const problems = (edit: (notebook: Notebook) => unknown) => {
    const notebook = small();
    edit(notebook);
    write(notebook);
    return pairProblems(root, ['01-small']);
  };

  test('a changed cell is found', slow, () => {
    expect(problems(({ cells }) => (cells[3]!.source = 'train(epochs + 1);'))).toEqual([
      expect.stringMatching(/^01-small.ipynb and 01-small.ts differ, first at cell 4 \("train\(epochs \+ 1\);"\)/),
    ]);
  });

  test('a changed word of the text is found', slow, () => {
    expect(problems(({ cells }) => (cells[0]!.source = '# Other'))).toEqual([
      expect.stringContaining('cell 1 ("# Other")'),
    ]);
  });

  test('a cell too many is found', slow, () => {
    expect(problems(({ cells }) => cells.push(code('train(1);')))).toEqual([expect.stringContaining('cell 5')]);
  });

  test('a notebook without script and a script without notebook are found', slow, () => {
    rmSync(at('01-small.ts'));
    writeFileSync(at('02-alone.ts'), '// %%\nexport {};\n');
    expect(pairProblems(root, ['01-small'])).toEqual([
      expect.stringContaining('01-small.ts is missing'),
      '02-alone.ts has no notebook beside it',
    ]);
  });
});

test('a type that does not hold is found, with strict types', slow, () => {
  expect(compilerProblems(root)).toEqual([]);
  writeScript(script.replace('train(epochs);', 'train(process.argv[2]);'));
  expect(compilerProblems(root)).toEqual([
    expect.stringMatching(
      /^tsc finds faults in notebooks\/:\nnotebooks\/01-small\.ts\(\d+,\d+\): error TS2345: .*undefined/,
    ),
  ]);
});

test('lint is found', slow, () => {
  expect(linterProblems(root)).toEqual([]);
  writeScript(script.replace('train(epochs);', 'if (train(epochs) == 3) debugger;'));
  expect(linterProblems(root)).toEqual([expect.stringMatching(/^biome finds faults in notebooks\/:/)]);
});

describe('syncNotebooks', () => {
  const age = (name: string, minutes: number) => {
    const time = Date.now() / 1000 - 60 * minutes;
    utimesSync(at(name), time, time);
  };

  test('takes over a script that was changed last', slow, () => {
    writeScript(script.replace('train(epochs);', 'train(epochs * 2);'));
    age('01-small.ipynb', 5);
    syncNotebooks(root);
    expect(read().cells[3]!.source).toEqual(['train(epochs * 2);']);
    expect(checkNotebooks(root)).toEqual([]);
  });

  test('takes over a notebook that was run and changed last, without what the run left in it', slow, () => {
    const notebook = small();
    notebook.cells[3] = {
      ...code('train(epochs * 3);'),
      outputs: [{ output_type: 'stream', name: 'stdout', text: '' }],
    };
    notebook.cells[3].execution_count = 4;
    notebook.cells.splice(2, 0, code('epochs = 9;', ['injected-parameters']));
    notebook.metadata.papermill = {};
    write(notebook);
    age('01-small.ts', 5);
    syncNotebooks(root);
    expect(checkNotebooks(root)).toEqual([]);
    const synced = readFileSync(at('01-small.ts'), 'utf8');
    expect(synced).toContain('train(epochs * 3);');
    expect(synced).not.toContain('epochs = 9');
  });
});
