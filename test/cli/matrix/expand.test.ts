import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { projectRoot } from '../../../src/base/index.js';
import { expandMatrix } from '../../../src/cli/matrix/expand.js';
import { readMatrix } from '../../../src/cli/matrix/read.js';
import { stateOf } from '../../../src/cli/matrix/state.js';
import { runFolderFor } from '../../../src/runs/index.js';
import { matrixFile, smallRoot } from './small-root.js';

const root = smallRoot();
afterAll(() => rmSync(root, { recursive: true, force: true }));

const expanded = (text: string) => expandMatrix(readMatrix(matrixFile(root, text)), root);
const committed = (name: string) => expandMatrix(readMatrix(join(projectRoot, 'experiments', `${name}.yaml`)));

test('a grid is all combinations, of a list of grids one after another, over the parameters of group and file', () => {
  const jobs = expanded(`
parameters: { scale: smoke, epochs: 9 }
groups:
  one:
    notebook: echo
    parameters: { epochs: 5 }
    grid:
      - { title: [a, b], shuffled: [true, false] }
      - { title: [c] }
`);
  const given = { scale: 'smoke', epochs: 5 };
  expect(jobs.map(({ parameters }) => parameters)).toEqual([
    { ...given, title: 'a', shuffled: true },
    { ...given, title: 'a', shuffled: false },
    { ...given, title: 'b', shuffled: true },
    { ...given, title: 'b', shuffled: false },
    { ...given, title: 'c' },
  ]);
  // Where the notebook itself writes, defaults included.
  const all = { ...given, title: 'c', sizes: [1, 2], options: { rate: 0.1 }, shuffled: true };
  expect(jobs[4]!.folder).toBe(runFolderFor('echo', all, root));
});

test('a group stands for its runs: joined in a parameter, one for each cell in a grid; they come first', () => {
  const jobs = expanded(`
groups:
  joined: { notebook: echo, parameters: { title: [plain, $seeds] } }
  each: { notebook: echo, grid: { title: [plain, $seeds] }, after: values }
  values: { notebook: values }
  seeds: { notebook: echo, grid: { epochs: [1, 2] } }
`);
  const [first, second, joined, values, ...each] = jobs;
  const folders = [first!, second!].map(({ folder }) => relative(root, folder));
  expect(joined).toMatchObject({ needs: [first!.id, second!.id], parameters: { title: `plain,${folders.join()}` } });
  expect(each.map(({ parameters }) => parameters.title)).toEqual(['plain', ...folders]);
  expect(each.map(({ needs }) => needs)).toEqual([[], [first!.id], [second!.id]]);
  expect(each.map(({ after }) => after)).toEqual([[values!.id], [values!.id], [values!.id]]);
});

test('a run of other inputs is another run', () => {
  const ids = [1, 2].map((epochs) => {
    const text = `groups:\n  a: { notebook: echo, parameters: { epochs: ${epochs} } }\n  b: { notebook: echo, parameters: { title: $a } }`;
    return expanded(text)[1]!.id;
  });
  expect(ids[0]).not.toBe(ids[1]);
});

describe('an error names file, line and place', () => {
  const cases: [name: string, text: string, line: number, problem: RegExp][] = [
    ['an unknown key', 'groups:\n  a:\n    notebook: echo\n    gird: {}', 4, /groups a gird is not a key/],
    ['an unknown resource', 'groups:\n  a:\n    notebook: echo\n    resources: { gpu: 1 }', 4, /gpu is not a key/],
    ['a resource of a wrong kind', 'groups:\n  a:\n    notebook: echo\n    resources: { cores: 1.5 }', 4, /whole/],
    ['no notebook', 'groups:\n  a:\n    after: b', 2, /groups a notebook is a name or a list of names/],
    ['a key that is there twice', 'groups:\n  a: { notebook: echo }\n  a: { notebook: echo }', 3, /unique/],
    ['no YAML', 'groups:\n  a: [', 2, /./],
    ['a name that is none', 'groups:\n  A b: { notebook: echo }', 2, /lower-case letters/],
    ['an empty list', 'groups:\n  a:\n    notebook: echo\n    grid:\n      epochs: []', 5, /at least one value/],
    ['no groups', 'parameters: {}', 1, /groups has groups by name/],
    ['an unknown notebook', 'groups:\n  a:\n    notebook: ehco', 3, /There is no notebook "ehco"[\s\S]*echo/],
    ['an unknown parameter', 'groups:\n  a:\n    notebook: echo\n    parameters:\n      epohcs: 1', 5, /mean "epochs"/],
    ['a wrong type', 'groups:\n  a:\n    notebook: echo\n    grid:\n      epochs: [1, x]', 5, /"epochs" takes number/],
    ['a chosen folder', 'groups:\n  a:\n    notebook: echo\n    parameters: { out: x }', 4, /chosen by the matrix/],
    ['an unknown group', 'groups:\n  a:\n    notebook: echo\n    after: c', 4, /names the group c; there are a/],
    ['an unknown reference', 'groups:\n  a:\n    notebook: echo\n    grid: { title: [$c] }', 4, /names the group c/],
    [
      'a circle',
      'groups:\n  a: { notebook: echo, after: b }\n  b:\n    notebook: echo\n    after: a',
      5,
      /a needs b needs a/,
    ],
    ['a run twice', 'groups:\n  a: { notebook: echo }\n  b: { notebook: echo }', 3, /has a run twice: echo/],
  ];
  test.each(cases)('%s', (_name, text, line, problem) => {
    const error = (() => {
      try {
        return expanded(text);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ name: 'UsageError' });
    expect((error as Error).message).toMatch(problem);
    expect((error as Error).message).toContain(`${join(root, 'matrix.yaml')}:${line}: `);
  });

  test('a value that an experiment refuses', () => {
    const file = matrixFile(root, 'groups:\n  a:\n    notebook: "11"\n    parameters: { batchSize: 0 }');
    expect(() => expandMatrix(readMatrix(file))).toThrow(/:2: groups a 11-pretrain-simclr: batchSize/);
  });

  test('a file that is not there', () =>
    expect(() => readMatrix('nowhere.yaml')).toThrow(/nowhere.yaml cannot be read/));
});

test('a run is finished by its provenance and its page', () => {
  const folder = join(root, 'run');
  expect(stateOf(folder)).toBe('new');
  mkdirSync(folder);
  expect(stateOf(folder)).toBe('unfinished');
  const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
  const mark = (status?: string, outputs: object[] = []) =>
    write('notebook.ipynb', JSON.stringify({ cells: [{ outputs }], metadata: status ? { pathlab: { status } } : {} }));
  mark('failed');
  write('notebook.html', '');
  expect(stateOf(folder)).toBe('unfinished');
  mark('finished');
  write('provenance.json', '{}');
  expect(stateOf(folder)).toBe('finished');
  // Stopped or killed after the last result.
  for (const status of ['interrupted', undefined]) {
    mark(status);
    expect(stateOf(folder)).toBe('without a page');
  }
  mark('finished');
  rmSync(join(folder, 'notebook.html'));
  expect(stateOf(folder)).toBe('without a page');
  // A cell that throws after the last result: the next attempt counts.
  for (const status of ['failed', 'interrupted', undefined]) {
    mark(status, status === 'failed' ? [] : [{ output_type: 'error' }]);
    expect(stateOf(folder)).toBe('new');
  }
  mkdirSync(`${folder}-2`);
  expect(stateOf(folder)).toBe('unfinished');
  write('../run-2/provenance.json', '{}');
  expect(stateOf(folder)).toBe('finished');
});

describe('the committed matrices', () => {
  const notebooks = readdirSync(join(projectRoot, 'notebooks')).flatMap(
    (name) => /^(.*)\.ipynb$/.exec(name)?.[1] ?? [],
  );

  test('demo has every notebook once, and fine-tunes every pretraining', () => {
    const jobs = committed('demo');
    expect(jobs.map(({ notebook }) => notebook).sort()).toEqual(notebooks.sort());
    const pretrainings = jobs.filter(({ notebook }) => /^1/.test(notebook));
    for (const { parameters } of jobs.filter(({ notebook }) => /^[23]/.test(notebook)))
      expect(parameters.init).toBe(
        ['random', ...pretrainings.map(({ folder }) => relative(projectRoot, folder))].join(),
      );
    // One failure takes no page of results with it.
    const page = jobs.find(({ notebook }) => notebook === '40-results')!;
    expect(page.needs).toEqual([]);
    expect(page.after).toHaveLength(9);
  });

  test("paper has the paper's backbones, methods, datasets and comparisons, all at paper scale", () => {
    const jobs = committed('paper');
    expect(jobs.every(({ parameters }) => parameters.scale === 'paper')).toBe(true);
    const of = (notebook: string) => jobs.filter((job) => job.notebook.startsWith(notebook));
    expect(new Set(of('10').map(({ parameters }) => parameters.backbone))).toEqual(
      new Set(
        'resnet18 resnet50 inception_v3 tf_efficientnet_b3 vit_small_patch16_224 vit_base_patch32_224 resnetv2_50x1_bit'.split(
          ' ',
        ),
      ),
    );
    for (const method of ['11', '12', '13', '14', '15']) expect(of(method)).toHaveLength(1);
    const heads = of('30').map(({ parameters: { backbone, head } }) => [backbone, head]);
    expect(heads).toContainEqual(['resnet50', 'fcn']);
    expect(heads).toContainEqual(['resnet50_dilated', 'deeplabv3']);
    for (const notebook of ['20', '21', '30']) {
      const [resnet] = of(notebook);
      for (const method of ['10', '11', '12', '13'])
        expect(String(resnet!.parameters.init)).toContain(`results/runs/${of(method)[0]!.id}`);
    }
    // What a fine-tuning begins with is made before it.
    for (const [place, { needs, after }] of jobs.entries())
      for (const need of [...needs, ...after]) expect(jobs.findIndex(({ id }) => id === need)).toBeLessThan(place);
  });

  test('the README and environment.md show groups that a matrix takes', () => {
    const text = readFileSync(join(projectRoot, 'environment.md'), 'utf8');
    const [, example] = /```yaml\n(groups:[\s\S]*?|[\s\S]*?groups:[\s\S]*?)```/.exec(text)!;
    expect(expandMatrix(readMatrix(matrixFile(root, example!))).length).toBeGreaterThan(3);
  });
});
