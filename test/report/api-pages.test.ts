import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { writeApiPages, writeGallery } from '../../src/report/index.js';

let root: string;
const results = () => join(root, 'results');
const pages: Record<string, string> = {};

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-api-'));
  await writeApiPages({ root });
  await writeGallery({ root });
  for (const name of ['index.html', ...readdirSync(join(results(), 'api')).map((file) => `api/${file}`)]) {
    if (name.endsWith('.html')) pages[name] = readFileSync(join(results(), name), 'utf8');
  }
}, 300_000);
afterAll(() => rmSync(root, { recursive: true }));

/** What a module exports: its lists of names, and those of the modules that it exports whole. */
function exportedNames(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  const lists = [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list]) => list!.split(','));
  const names = lists.map((item) => item.trim().replace(/^type |^\w+ as /g, '')).filter(Boolean);
  const whole = [...text.matchAll(/export \* from '(.*)\.js'/g)].map(([, from]) => resolve(path, '..', `${from}.ts`));
  return [...names, ...whole.flatMap(exportedNames)];
}

const rooms = readdirSync(join(projectRoot, 'src')).filter((name) =>
  existsSync(join(projectRoot, 'src', name, 'index.ts')),
);

test.each([['pathlab', 'index.ts'], ...rooms.map((room) => [room, `${room}/index.ts`])])(
  'the page of %s has every name that it exports',
  (room, file) => {
    const names = exportedNames(join(projectRoot, 'src', file!));
    const page = pages[`api/${room}.html`]!;
    const shown = new Set(
      [...page.matchAll(/class="tsd-index-link[^>]*>(.*?)<\/a>/gs), ...page.matchAll(/<dt [^>]*>(.*?)<\/dt>/gs)].map(
        ([, link]) =>
          link!
            .replace(/<svg.*?<\/svg>|<[^>]*>/gs, '')
            .replace(/&nbsp;|\u00a0|→.*/g, '')
            .trim(),
      ),
    );
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !shown.has(name))).toEqual([]);
  },
);

test('docstrings are on the page of their room, with what their parameters mean', () => {
  expect(pages['api/engine.html']).toMatch(/Layer normalization over the last axis[\s\S]*added to the variance/);
  expect(pages['api/pathlab.html']).toMatch(/href="training\.html#adamw"[\s\S]*Adam with decoupled weight decay/);
});

test('every link resolves, from the gallery to the pages and back, and none leads to the network', () => {
  const ids = new Map(
    Object.entries(pages).map(([name, page]) => [
      name,
      new Set([...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id)),
    ]),
  );
  const wrong: string[] = [];
  for (const [name, page] of Object.entries(pages)) {
    for (const [, address] of page.matchAll(/ (?:href|src)="([^"]*)"/g)) {
      const [file, anchor] = address!.split('#') as [string, string?];
      const path = file === '' ? name : join(dirname(name), file);
      const there = !/^\w+:/.test(address!) && existsSync(join(results(), path));
      const known = ids.get(path);
      if (!there || (known && anchor && !known.has(anchor))) wrong.push(`${name}: ${address}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(pages['index.html']).toContain('href="api/index.html"');
  expect(Object.keys(pages).length).toBe(rooms.length + 3);
  for (const [name, page] of Object.entries(pages)) {
    if (name !== 'index.html') expect(page, name).toContain('href="../index.html"');
  }
});

test('the pages stay as they are while the package does', async () => {
  const made = () => statSync(join(results(), 'api', 'engine.html')).ino;
  const before = made();
  await writeApiPages({ root });
  expect(made()).toBe(before);
});
