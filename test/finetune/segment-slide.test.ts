import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Tensor, tf } from '../../src/engine/index.js';
import { type SegmentOptions, segmentSlide, unlabelled } from '../../src/finetune/index.js';
import {
  openLabelImage,
  openSlide,
  polygonLabels,
  readPolygons,
  type Slide,
  tissueMask,
} from '../../src/slides/index.js';
import {
  colorClasses,
  drawColorSlide,
  glass,
  nearestColor,
  nearestColorOfAll,
  writeColorSlide,
} from './color-slide.js';

const drawn = drawColorSlide(1100, 700);
const { width, height } = drawn;
let folder: string;
let slide: Slide;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-segment-'));
  await writeColorSlide(join(folder, 'slide.tif'), drawn);
  slide = await openSlide(join(folder, 'slide.tif'));
});
afterAll(async () => {
  await slide.close();
  rmSync(folder, { recursive: true, force: true });
});

let made = 0;
/** Segments into files of their own. */
async function segment(
  options: Partial<SegmentOptions> = {},
  of = slide,
  predict: (images: Tensor) => Tensor = nearestColor,
) {
  const out = join(folder, `out-${made++}`);
  const files = {
    labels: join(out, 'labels.tif'),
    polygons: join(out, 'areas.geojson'),
    overlay: join(out, 'overlay.png'),
  };
  const result = await segmentSlide(of, predict, {
    classes: colorClasses,
    geometry: { micrometers: 64, pixels: 128 },
    tissue: null,
    files,
    ...options,
  });
  return { out, files, result };
}

async function labelsOf(path: string, of = slide, size = { width, height, pixelSize: 1 }): Promise<Uint8Array> {
  const source = await openLabelImage(path, of, { background: 99, downsample: size.pixelSize });
  const labels = await source.read({ x: 0, y: 0, ...size });
  await source.close();
  return labels;
}

describe('segmentSlide', () => {
  it.each([
    ['windows of 128 px', 128, 0.25, 16],
    ['other batches', 128, 0.25, 5],
    ['more overlap', 128, 0.6, 64],
    ['no overlap', 128, 0, 7],
    ['large windows', 500, 0.5, 2],
    ['windows wider than the slide', 900, 0.5, 3],
  ])('gives the labels that the network gives, without a seam: %s', async (_, pixels, overlap, batchSize) => {
    const { files, result } = await segment({
      geometry: { micrometers: pixels / 2, pixels },
      ...{ overlap, batchSize },
    });
    expect([result.width, result.height, result.downsample]).toEqual([width, height, 1]);
    expect(Buffer.compare(await labelsOf(files.labels), drawn.labels)).toBe(0);
    for (const { label, pixels } of result.classes) {
      expect(pixels).toBe(drawn.labels.filter((one) => one === label).length);
    }
    expect(result.classes[1]!.squareMillimeters).toBeCloseTo((result.classes[1]!.pixels * 0.25) / 1e6, 12);
  });

  it('writes the same bytes whatever the batch size', async () => {
    const [one, other] = [await segment({ batchSize: 3 }), await segment({ batchSize: 16 })];
    for (const name of ['labels', 'polygons', 'overlay'] as const) {
      expect(readFileSync(one.files[name]).equals(readFileSync(other.files[name]))).toBe(true);
    }
  });

  it('gives what one window over all of the slide would, also between pixels of the slide', async () => {
    const mpp = 0.8;
    const { files, result } = await segment({ geometry: { micrometers: 100 * mpp, pixels: 100 } });
    expect([result.width, result.height]).toEqual([688, 438]);
    expect(result.resampling).toMatchObject({ from: 0.5, to: 0.8, direction: 'downsampled' });
    const expected = await nearestColorOfAll(slide, 688, 438, mpp);
    const { data } = await sharp(files.labels).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
    expect(Buffer.compare(data, expected)).toBe(0);
    // It fits the slide, and says its pixel size to other programs.
    const read = await labelsOf(files.labels, slide, { width: 688, height: 438, pixelSize: 1.6 });
    expect(Buffer.compare(read, expected)).toBe(0);
    const labels = await openSlide(files.labels);
    expect(labels.mpp).toBeCloseTo(0.8, 6);
    await labels.close();
  });

  it('trusts the middle of windows more than their edges', async () => {
    /** Right but for 12 px at each edge, where it says with certainty something else. */
    const cutOff = (images: Tensor) => {
      const size = images.shape[1]!;
      const inner = tf
        .pad(tf.ones([size - 24, size - 24]), [
          [12, 12],
          [12, 12],
        ])
        .reshape([1, size, size, 1]);
      const wrong = tf.tensor1d([0, 0, 1, 0]);
      return nearestColor(images)
        .mul(inner)
        .add(wrong.mul(tf.sub(1, inner)));
    };
    const { files } = await segment({ overlap: 0.5 }, slide, cutOff);
    const labels = await labelsOf(files.labels);
    // At the slide's own edges there is no other window.
    const wrong = labels.filter((label, pixel) => {
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      const isInside = x >= 12 && y >= 12 && x < width - 12 && y < height - 12;
      return isInside && label !== drawn.labels[pixel];
    });
    expect(wrong).toHaveLength(0);
  });

  it('labels tissue only, from all of its windows', async () => {
    const tissue = await tissueMask(slide);
    const { files, result } = await segment({ tissue: undefined });
    const labels = await labelsOf(files.labels);
    const isTissue = (pixel: number) => {
      const [x, y] = [(pixel % width) + 0.5, Math.floor(pixel / width) + 0.5].map((at) =>
        Math.floor(at / tissue.downsample),
      ) as [number, number];
      return tissue.data[Math.min(tissue.height - 1, y) * tissue.width + Math.min(tissue.width - 1, x)] === 1;
    };
    expect(labels.every((label, pixel) => label === (isTissue(pixel) ? drawn.labels[pixel] : unlabelled))).toBe(true);
    expect(labels.filter((label) => label === unlabelled).length / labels.length).toBeGreaterThan(0.25);
    expect(result.windows).toBeLessThan((await segment()).result.windows);
    const outside = await segment({ tissue, outside: glass });
    expect((await labelsOf(outside.files.labels)).includes(unlabelled)).toBe(false);
  });

  it('writes areas that hold just the labels, as QuPath reads them', async () => {
    const { files, result } = await segment({ polygons: { omit: ['glass'] } });
    const { polygons } = await readPolygons(files.polygons);
    expect(polygons).toHaveLength(result.polygons);
    const labels = Object.fromEntries(colorClasses.map(({ name }, label) => [name, label]));
    const painted = await polygonLabels(polygons, slide, { labels, background: glass }).read({
      ...{ x: 0, y: 0, width, height, pixelSize: 1 },
    });
    expect(Buffer.compare(painted, drawn.labels)).toBe(0);

    const { type, features } = JSON.parse(readFileSync(files.polygons, 'utf8')) as GeoJson;
    expect(type).toBe('FeatureCollection');
    for (const { type, geometry, properties } of features) {
      expect([type, geometry.type, properties.objectType]).toEqual(['Feature', 'Polygon', 'annotation']);
      for (const [place, ring] of geometry.coordinates.entries()) {
        expect(ring.length).toBeGreaterThanOrEqual(5);
        expect(ring.at(-1)).toEqual(ring[0]);
        // RFC 7946, 3.1.6: outlines go counterclockwise and holes clockwise.
        expect(Math.sign(area(ring))).toBe(place === 0 ? 1 : -1);
      }
    }
    const tumor = features.find(({ properties }) => properties.classification.name === 'tumor')!;
    expect(tumor.properties.classification.color).toEqual([0x60, 0x30, 0xa0]);
    expect(tumor.geometry.coordinates).toHaveLength(2);
  });

  it('leaves out small areas and fills small holes; simple outlines have fewer corners', async () => {
    const omit = ['glass'];
    const featuresOf = async (polygons: SegmentOptions['polygons']) => {
      const { files } = await segment({ polygons });
      return (JSON.parse(readFileSync(files.polygons, 'utf8')) as GeoJson).features;
    };
    const all = await featuresOf({ omit });
    const large = await featuresOf({ omit, minimumArea: 200 });
    expect(large.length).toBeLessThan(all.length);
    const rings = large.flatMap(({ geometry }) => geometry.coordinates);
    expect(rings.every((ring) => Math.abs(area(ring)) >= 800)).toBe(true);
    const corners = (features: GeoJson['features']) =>
      features.reduce((sum, { geometry }) => sum + geometry.coordinates.flat().length, 0);
    const simple = await featuresOf({ omit, minimumArea: 200, tolerance: 1 });
    expect(corners(simple)).toBeLessThan(corners(large) / 4);
    expect(corners(large)).toBeLessThan(corners(all));
    const tumors = [simple, large].map((features) => {
      const { geometry } = features.find(({ properties }) => properties.classification.name === 'tumor')!;
      return geometry.coordinates.reduce((sum, ring) => sum + area(ring), 0);
    });
    expect(tumors[0]! / tumors[1]!).toBeCloseTo(1, 1);
  });

  it('draws the classes over the slide', async () => {
    const { files, result } = await segment();
    expect(readFileSync(files.overlay).equals(result.overlay)).toBe(true);
    const { data, info } = await sharp(files.overlay).raw().toBuffer({ resolveWithObject: true });
    // A legend stands below.
    expect(info.width).toBe(900);
    expect(info.height).toBeGreaterThan(Math.round((900 * height) / width));
    const at = (x: number, y: number) => [...data.subarray(info.channels * (y * 900 + x)).subarray(0, 3)];
    // A color mixed with itself.
    expect(at(270, 286)).toEqual([0x60, 0x30, 0xa0]);
  });

  it('a slide smaller than a window, and one without tissue', async () => {
    const small = drawColorSlide(50, 31);
    await writeColorSlide(join(folder, 'small.tif'), small);
    const opened = await openSlide(join(folder, 'small.tif'));
    const { files, result } = await segment({}, opened);
    expect([result.windows, result.width, result.height]).toEqual([1, 50, 31]);
    expect(
      Buffer.compare(await labelsOf(files.labels, opened, { width: 50, height: 31, pixelSize: 1 }), small.labels),
    ).toBe(0);
    await opened.close();

    const empty = { width: 300, height: 200, labels: new Uint8Array(60_000).fill(glass) };
    await writeColorSlide(join(folder, 'empty.tif'), empty);
    const bare = await openSlide(join(folder, 'empty.tif'));
    const never = () => {
      throw new Error('predicted glass');
    };
    const none = await segment({ tissue: undefined }, bare, never);
    expect([none.result.windows, none.result.polygons]).toEqual([0, 0]);
    const labels = await labelsOf(none.files.labels, bare, { width: 300, height: 200, pixelSize: 1 });
    expect(labels.every((label) => label === unlabelled)).toBe(true);
    expect((JSON.parse(readFileSync(none.files.polygons, 'utf8')) as GeoJson).features).toEqual([]);
    expect((await sharp(none.files.overlay).metadata()).width).toBe(300);
    await bare.close();
  });

  it('leaves no file when it is interrupted or fails, and no tensor', async () => {
    const before = tf.memory().numTensors;
    const stop = new AbortController();
    const interrupted = segment({
      ...{ signal: stop.signal, batchSize: 4 },
      onProgress: (done) => done === 9 && stop.abort(),
    });
    await expect(interrupted).rejects.toMatchObject({ name: 'InterruptedError' });
    const nothing = (images: Tensor) => {
      const [first, rest] = tf.split(nearestColor(images), [1, images.shape[1]! - 1], 1) as [Tensor, Tensor];
      return tf.concat([first, rest.mul(Number.NaN)], 1);
    };
    await expect(segment({}, slide, nothing)).rejects.toThrow(
      /probabilities at \(0, 1\) are not numbers: predict gave NaN/,
    );
    const flat = (images: Tensor) => nearestColor(images).mean(1);
    await expect(segment({}, slide, flat)).rejects.toThrow(
      /predict gave \[16,128,4\].*should give class probabilities \[16,128,128,4\]/,
    );
    for (const name of readdirSync(folder).filter((one) => one.startsWith('out-'))) {
      expect(readdirSync(join(folder, name)).filter((file) => file.endsWith('.partial'))).toEqual([]);
    }
    expect(readdirSync(join(folder, `out-${made - 1}`))).toEqual([]);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('refuses options that do not fit', async () => {
    const [stroma, tumor] = colorClasses as [{ name: string; color: string }, { name: string; color: string }];
    await expect(segment({ overlap: 1 })).rejects.toThrow(/overlap is a share .* below 1; got 1/);
    await expect(segment({ overlap: -0.1 })).rejects.toThrow(/overlap/);
    await expect(segment({ batchSize: 0 })).rejects.toThrow(/batchSize must be a whole number above 0; got 0/);
    await expect(segment({ outside: 4 })).rejects.toThrow(/outside is 255 or one of 4 classes, from 0 on; got 4/);
    await expect(segment({ classes: [stroma] })).rejects.toThrow(/at least two classes are needed; got 1 \(stroma\)/);
    await expect(segment({ classes: [stroma, stroma] })).rejects.toThrow(/two classes are named "stroma"/);
    const named = [stroma, { ...tumor, color: 'purple' }];
    await expect(segment({ classes: named })).rejects.toThrow(/the color of "tumor" is not #rrggbb; got "purple"/);
    await expect(segment({ polygons: { omit: ['fat'] } })).rejects.toThrow(/cannot omit "fat".*stroma, tumor/);
    await expect(segment({ polygons: { tolerance: -1 } })).rejects.toThrow(
      /tolerance of polygons is 0 or more; got -1/,
    );
  });

  it('a process that is killed leaves no half file under a name, and the next one clears up', async () => {
    const out = join(folder, 'killed');
    mkdirSync(out);
    const files = { labels: join(out, 'labels.tif'), polygons: join(out, 'areas.geojson') };
    const modules = ['engine', 'slides', 'finetune'].map(
      (room) => new URL(`../../dist/${room}/index.js`, import.meta.url).href,
    );
    const program = `
      const [{ tf }, { openSlide }, { segmentSlide }] = await Promise.all(${JSON.stringify(modules)}.map((path) => import(path)));
      const slide = await openSlide(${JSON.stringify(slide.path)});
      await segmentSlide(slide, (images) => tf.softmax(images.concat(images.mean(3, true), 3)), {
        classes: ${JSON.stringify(colorClasses)}, geometry: { micrometers: 32, pixels: 64 }, overlap: 0.9, batchSize: 1,
        tissue: null, files: ${JSON.stringify(files)}, onProgress: (done) => done === 1 && console.log('under way'),
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await sleep(200);
    child.kill('SIGKILL');
    await ended;
    expect(readdirSync(out).every((name) => name.endsWith('.partial'))).toBe(true);
    expect(readdirSync(out)).toHaveLength(2);
    await segment({ files });
    expect(readdirSync(out).sort()).toEqual(['areas.geojson', 'labels.tif']);
    expect(existsSync(files.labels)).toBe(true);
  });
});

interface GeoJson {
  type: string;
  features: {
    type: string;
    geometry: { type: string; coordinates: [number, number][][] };
    properties: { objectType: string; classification: { name: string; color: number[] } };
  }[];
}

/** By the shoelace formula, px2. */
function area(ring: readonly [number, number][]): number {
  return ring.slice(1).reduce((sum, [x, y], at) => sum + ring[at]![0] * y - x * ring[at]![1], 0) / 2;
}
