import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { key } from '../../src/base/index.js';
import {
  compileDataset,
  openShardDataset,
  readDefinition,
  resolveDataset,
  type ShardDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import { temporaryFolder } from '../datasets/small-dataset.js';

const classes = ['background', 'round', 'square'];
/** Their pixels in images; masks hold other values, which the definition maps. */
const colors = [
  [230, 220, 235],
  [150, 60, 140],
  [90, 40, 60],
] as const;
const values = [0, 100, 200];

/** Precut patches of discs and squares on a light ground, with noise, and their masks; compiled as a user's are. */
export async function maskDataset(patches: number, side = 64): Promise<ShardDataset> {
  const folder = temporaryFolder();
  for (const name of ['images', 'masks']) mkdirSync(join(folder, name));
  const lines = ['path,mask,patient'];
  for (let patch = 0; patch < patches; patch++) {
    const random = key('mask dataset').fold(patch).generator();
    const labels = new Uint8Array(side * side);
    for (const label of [1, 2, 1, 2]) {
      const reach = side * random.between(0.1, 0.2);
      const [y, x] = [random.between(reach, side - reach), random.between(reach, side - reach)];
      for (let at = 0; at < labels.length; at++) {
        const [dy, dx] = [Math.floor(at / side) - y, (at % side) - x];
        const inside = label === 1 ? Math.hypot(dy, dx) < reach : Math.max(Math.abs(dy), Math.abs(dx)) < reach;
        if (inside) labels[at] = label;
      }
    }
    const pixels = Uint8Array.from({ length: 3 * labels.length }, (_, at) => {
      const value = colors[labels[Math.floor(at / 3)]!]![at % 3]! + 12 * random.normal();
      return Math.max(0, Math.min(255, value));
    });
    const raw = (channels: 1 | 3) => ({ raw: { width: side, height: side, channels } });
    await sharp(pixels, raw(3))
      .png()
      .toFile(join(folder, 'images', `${patch}.png`));
    await sharp(
      labels.map((label) => values[label]!),
      raw(1),
    )
      .toColorspace('b-w')
      .png()
      .toFile(join(folder, 'masks', `${patch}.png`));
    lines.push(`images/${patch}.png,masks/${patch}.png,p${patch}`);
  }
  writeFileSync(join(folder, 'table.csv'), `${lines.join('\n')}\n`);
  const definition = {
    ...readDefinition('segpanda200'),
    ...{ name: 'shapes', unit: 'patches', geometry: null, minimumBytes: 0, exclusions: [] },
    source: {
      kind: 'csv',
      table: 'table.csv',
      folder: '.',
      columns: { path: 'path', mask: 'mask', patient: 'patient' },
    },
    labels: {
      from: 'mask',
      classes: classes.map((name, label) => ({ name, label })),
      values: { '*': Object.fromEntries(values.map((value, place) => [value, classes[place]!])) },
    },
  };
  writeFileSync(join(folder, 'shapes.json'), JSON.stringify(definition));
  const resolved = await resolveDataset(join(folder, 'shapes.json'), { out: join(folder, 'source') });
  const { ready } = slidesOnDisk(resolved);
  const made = await compileDataset(
    { definition: resolved.definition, slides: ready },
    { data: join(folder, 'data'), lossless: true },
  );
  return openShardDataset(made.folder);
}
