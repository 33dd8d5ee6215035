import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { key } from '../../dist/base/index.js';
import { compileDataset, readDefinition } from '../../dist/datasets/index.js';

const side = 32;
const classes = ['glass', 'stroma', 'cancer'];

/**
 * Compiles patches with masks and reads the shards with Python's webdataset: masks and classes must come out as they
 * went in, and the images in their size.
 *
 * @param {string} python of the loader's peers
 * @returns {Promise<number>} how many patches were compared
 */
export async function checkMasks(python) {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-masks-'));
  try {
    const random = key('masks').generator();
    const written = new Map();
    const slides = [];
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      const pixels = Uint8Array.from({ length: side * side * 3 }, () => random.integer(256));
      const mask = Uint8Array.from({ length: side * side }, () => random.integer(classes.length));
      const [path, maskPath] = [join(folder, `${id}.jpg`), join(folder, `${id}.png`)];
      await sharp(pixels, { raw: { width: side, height: side, channels: 3 } })
        .jpeg()
        .toFile(path);
      await sharp(mask, { raw: { width: side, height: side, channels: 1 } })
        .png()
        .toFile(maskPath);
      written.set(mask.join(), id);
      const none = { patient: null, site: null, class: null, annotation: null };
      slides.push({ ...none, id, path, mask: maskPath, synthetic: true, licence: 'none', origin: 'drawn', sha256: '' });
    }
    const labels = {
      from: 'mask',
      classes: classes.map((name, label) => ({ name, label })),
      values: { '*': Object.fromEntries(classes.map((name, value) => [value, name])) },
    };
    const definition = { ...readDefinition('segpanda200'), name: 'masks', unit: 'patches', geometry: null, labels };
    const { folder: made } = await compileDataset({ definition, slides }, { data: join(folder, 'data') });
    const script = fileURLToPath(new URL('../peers/webdataset_masks.py', import.meta.url));
    const { status, stdout, stderr } = spawnSync(python, [script, made], { encoding: 'utf8', maxBuffer: 2 ** 26 });
    if (status !== 0) throw new Error(`webdataset cannot read shards with masks: ${stderr}`);
    const read = JSON.parse(stdout);
    for (const { size, maskSize, mask, class: name } of read) {
      const counts = classes.map((_, label) => mask.filter((value) => value === label).length);
      const right =
        written.delete(mask.join()) &&
        [...size, ...maskSize].every((length) => length === side) &&
        counts[classes.indexOf(name)] === Math.max(...counts);
      if (!right) throw new Error(`webdataset reads another mask than was written, of the class ${name}`);
    }
    if (written.size > 0) throw new Error(`webdataset did not read the masks of ${[...written.values()].join(', ')}`);
    return read.length;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
