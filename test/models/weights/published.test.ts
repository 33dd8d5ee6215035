import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../../bench/data-servers.mjs';
import { projectRoot } from '../../../src/base/index.js';
import { backbone, publishedWeights, readWeightsManifest } from '../../../src/models/index.js';

const root = mkdtempSync(join(tmpdir(), 'published-'));
afterAll(() => rmSync(root, { recursive: true }));

const manifests = readdirSync(join(projectRoot, 'data-manifests'))
  .filter((name) => JSON.parse(readFileSync(join(projectRoot, 'data-manifests', name), 'utf8')).kind === 'weights')
  .map((name) => name.replace('.json', ''));

describe('publishedWeights', () => {
  it.each(manifests)('%s is pinned, licensed, and of a backbone that there is', (name) => {
    const manifest = readWeightsManifest(name);
    expect(manifest.name).toBe(name);
    expect(manifest.source.wheel).toMatch(/^[0-9a-f]{64}$/);
    expect(manifest.file.sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(manifest.licence.name).not.toBe('');
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
    await expect(publishedWeights('none', root)).rejects.toThrow(/there is no manifest/);
  });
});
