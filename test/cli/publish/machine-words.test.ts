import { expect, test } from 'vitest';
import { key, projectRoot } from '../../../src/base/index.js';
import {
  type MachineWord,
  machineWordsIn,
  replaceWords,
  topFolders,
  wordsOfRun,
} from '../../../src/cli/publish/machine-words.js';
import { escapeMarkup } from '../../../src/report/html.js';

const characters = ['a', 'Z', '9', '-', '_', '.', ' ', '&', "'", '(', '+', 'é', '"'];

test('a path is replaced in text, markup, JSON and addresses, however it is written, and its neighbors are not', () => {
  const random = key('paths').generator();
  const part = () =>
    `d${Array.from({ length: 1 + Math.floor(6 * random.uniform()) }, () => characters[Math.floor(characters.length * random.uniform())]).join('')}d`;
  for (let round = 0; round < 300; round++) {
    const path = `/${part()}/${part()}`;
    const words: MachineWord[] = [{ text: path, replacement: 'mine', what: 'data' }];
    for (const form of [path, escapeMarkup(path), JSON.stringify(path).slice(1, -1), encodeURI(path)]) {
      const given = [`"${form}"`, `${form}/x.png`, `file://${form}/x`, `(${form})`, `=${form}, ${form}.`];
      const wanted = ['"mine"', 'mine/x.png', 'mine/x', '(mine)', '=mine, mine.'];
      given.forEach((text, place) => {
        const { text: result, replaced } = replaceWords(text, words);
        expect(result, text).toBe(wanted[place]);
        expect(replaced.data).toBe(place === 4 ? 2 : 1);
      });
      for (const other of [`${form}x`, `${form}-2/x`, `a${form}`, `b+${form}`, `${form}.png`])
        expect(replaceWords(other, words)).toEqual({ text: other, replaced: {} });
    }
  }
});

test('the folders of the project are relative, here and where the run was, and other paths keep their last part', () => {
  const facts = [
    { init: 'random,/elsewhere/pathlab/results/runs/a/backbone.safetensors', data: '/store/clinic/patches/' },
    { data: [{ path: '/store/list.csv' }], note: 'not a path / at all' },
    { papermill: { input_path: '/elsewhere/pathlab/notebooks/11.ipynb' } },
  ];
  const text = [
    '/elsewhere/pathlab/results/runs/a/backbone.safetensors /elsewhere/pathlab /elsewhere/pathlab2/x',
    `${projectRoot}/data/x ${projectRoot}`,
    '/store/clinic/patches/1.png /store/list.csv /store/other',
  ].join('\n');
  const { text: result, replaced } = replaceWords(text, wordsOfRun(facts));
  expect(result).toBe(
    'results/runs/a/backbone.safetensors . /elsewhere/pathlab2/x\ndata/x .\npatches/1.png list.csv /store/other',
  );
  expect(replaced).toEqual({ "the project's folder": 4, 'a path given as data': 1, 'a path given as path': 1 });
});

test('what still tells of a machine is found, and bytes in text are not taken for it', () => {
  const telling = ['/home/me/x', 'file:///tmp/a.csv', '/Users/me', '/mnt/nas/slides', 'C:\\Users\\me'];
  const clusters = ['project', 'projects', 'nfs', 'cluster', 'srv', 'scratch2', 'gpfs', 'lustre', 'media', 'data1'];
  telling.push(...clusters.map((name) => `/${name}/lab/log.txt`));
  expect(machineWordsIn(telling.map((path) => `see "${path}", ok`).join('\n'))).toEqual(telling);
  for (const text of [
    'https://x.org/home/me',
    'a/tmp/b',
    '9j/home/4AAQ+/tmp/xyz',
    '../data/x',
    '~/data/y',
    '/usr/bin/env',
    'a / tmp',
  ])
    expect(machineWordsIn(text), text).toEqual([]);
  const kept = [{ text: '/home/me', replacement: '/home/me', what: 'kept' }];
  expect(machineWordsIn('"/home/me/x" "/home/mean/x"', kept)).toEqual(['/home/mean/x']);
});

test('paths of the machine where a run was are found by the first folders of its own', () => {
  const words = wordsOfRun([
    { data: '/pool.3/lab/patches', init: '/usr/share/x' },
    { papermill: { input_path: '/ceph/a/b' } },
  ]);
  expect(topFolders(words)).toEqual(expect.arrayContaining(['ceph', 'pool.3']));
  expect(topFolders(words)).not.toContain('usr');
  const text = 'at /pool.3/other/log (/ceph/a/env/lib.js:3) https://x.org/ceph/a /poolx3/a';
  expect(machineWordsIn(text, [], topFolders(words))).toEqual(['/pool.3/other/log', '/ceph/a/env/lib.js:3']);
  expect(machineWordsIn(text)).toEqual([]);
});
