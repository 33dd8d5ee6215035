import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeFileAtomic, writeFileAtomicSync } from '../../src/base/files.js';
import { canonicalJson, digestOfFile, sha256, sha256OfTree } from '../../src/base/hash.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-files-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('writeFileAtomic', () => {
  it('writes, replaces, makes folders and leaves nothing beside the file', async () => {
    const path = join(folder, 'deep', 'er', 'file.txt');
    await writeFileAtomic(path, 'one');
    writeFileAtomicSync(path, 'two');
    expect(readFileSync(path, 'utf8')).toBe('two');
    expect(readdirSync(join(folder, 'deep', 'er'))).toEqual(['file.txt']);
  });

  it('keeps the old content and cleans up when it cannot write', async () => {
    mkdirSync(join(folder, 'taken', 'inside'), { recursive: true });
    await expect(writeFileAtomic(join(folder, 'taken'), 'text')).rejects.toThrow();
    expect(() => writeFileAtomicSync(join(folder, 'taken'), 'text')).toThrow();
    expect(readdirSync(folder)).toEqual(['taken']);
  });

  it('shows readers only whole files while a writer is killed again and again', async () => {
    const path = join(folder, 'counter.json');
    const module = new URL('../../dist/base/files.js', import.meta.url).href;
    const script = `
      const { writeFileAtomicSync } = await import(${JSON.stringify(module)});
      for (let n = 0; ; n++) writeFileAtomicSync(${JSON.stringify(path)}, JSON.stringify({ n, fill: 'x'.repeat(1 << 20), end: n }));
    `;
    for (let round = 0; round < 4; round++) {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      for (let waited = 0; waited < 100 && !readdirSync(folder).includes('counter.json'); waited++) await sleep(50);
      await sleep(37 * (round + 1));
      child.kill('SIGKILL');
      await ended;
      const { n, end } = JSON.parse(readFileSync(path, 'utf8')) as { n: number; end: number };
      expect(end).toBe(n);
    }
  });
});

describe('hashes', () => {
  it('agree with sha256sum and md5sum', async () => {
    const path = join(folder, 'bytes.bin');
    writeFileSync(path, Buffer.from([0, 1, 2, 250]));
    const sum = (tool: string) => execFileSync(tool, [path], { encoding: 'utf8' }).split(' ')[0];
    expect(await digestOfFile(path)).toBe(sum('sha256sum'));
    expect(await digestOfFile(path, 'md5')).toBe(sum('md5sum'));
    expect(sha256(Buffer.from([0, 1, 2, 250]))).toBe(sum('sha256sum'));
  });

  it('of a tree change with any name or byte, and with nothing else', () => {
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    write('a', '1');
    write('b', '2');
    const before = sha256OfTree(folder);
    expect(sha256OfTree(folder)).toBe(before);
    write('b', '3');
    expect(sha256OfTree(folder)).not.toBe(before);
    write('b', '2');
    write('c', '');
    expect(sha256OfTree(folder)).not.toBe(before);
    expect(sha256OfTree(folder, (name) => name !== 'c')).toBe(before);
  });

  it('of JSON do not depend on the order of keys, nor on what is undefined', () => {
    const one = canonicalJson({ b: [1, { d: 1, c: undefined }], a: null });
    expect(one).toBe(canonicalJson({ a: null, b: [1, { d: 1 }] }));
    expect(() => canonicalJson({ a: Number.NaN })).toThrow(/NaN/);
  });
});
