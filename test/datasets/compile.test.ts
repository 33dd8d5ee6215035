import { copyFileSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { cardContent, cardMarkdown } from '../../src/datasets/compile/card.js';
import {
  type CompiledDataset,
  type CompileProgress,
  compileDataset,
  type DatasetSlide,
  describePlan,
  type EncodedPatch,
  imagesOfShards,
  openShardDataset,
  planCompile,
  readEncoded,
  readShard,
  readShardIndex,
  type ShardDataset,
  type SlideDataset,
  type SlideFacts,
} from '../../src/datasets/index.js';
import { openSlide, patchGrid, readers, tissueMask } from '../../src/slides/index.js';
import { tiffOf, tiledImage } from '../slides/tiff-file.js';
import { digests, smallDataset, temporaryFolder } from './small-dataset.js';

let dataset: SlideDataset;
let compiled: CompiledDataset;
beforeAll(async () => {
  dataset = await smallDataset(4);
  compiled = await compileDataset(dataset, { data: temporaryFolder(), workers: 1 });
});

/** The patches of all shards, in the index's order. */
async function readAll(loaded: ShardDataset): Promise<EncodedPatch[]> {
  const rows = loaded.shardNames.map((_, shard) =>
    [...loaded.shards.keys()].filter((row) => loaded.shards[row] === shard),
  );
  return (await Promise.all(rows.map((ofShard) => readEncoded(loaded, ofShard)))).flat();
}

describe('compileDataset', () => {
  it('cuts a shard a slide, with the patches of the grid and what is known of them', async () => {
    const { id, path } = dataset.slides[0]!;
    const slide = await openSlide(path);
    const index = patchGrid(slide, await tissueMask(slide), { geometry: dataset.definition.geometry! });
    const shard = join(compiled.folder, `${id}.tar`);
    const content = await readShard<SlideFacts>(shard);
    expect(content.patches.map(({ facts }) => [facts.x, facts.y])).toEqual(
      Array.from(index.x, (x, patch) => [x, index.y[patch]]),
    );
    expect(content.slide).toMatchObject({ slide: id, patient: 'patient-0', site: 'site-0', patches: index.x.length });
    const last = content.patches.at(-1)!;
    expect(last.facts).toMatchObject({ patient: 'patient-0', site: 'site-0', synthetic: true });
    expect(last.facts.scores.tissue).toBeCloseTo(index.tissue.at(-1)!, 5);
    expect(['acinar', 'nested', 'diffuse', 'papillary']).toContain(last.facts.class);

    const image = await slide.readAt({ x: last.facts.x, y: last.facts.y, width: 64, height: 64, mpp: 200 / 64 });
    await slide.close();
    const jpeg = readFileSync(shard).subarray(last.image.offset, last.image.offset + last.image.length);
    expect(await sharp(jpeg).metadata()).toMatchObject({ format: 'jpeg', width: 64, chromaSubsampling: '4:4:4' });
    const decoded = await sharp(jpeg).raw().toBuffer();
    const error = decoded.reduce((sum, value, place) => sum + (value - image.pixels[place]!) ** 2, 0);
    expect(Math.sqrt(error / decoded.length)).toBeLessThan(6);
  });

  it('writes an index from which any patch is read without the rest', async () => {
    const index = await readShardIndex(join(compiled.folder, 'index.arrow'));
    const content = await readShard(join(compiled.folder, `${dataset.slides[2]!.id}.tar`));
    const rows = index.objects() as Record<string, unknown>[];
    expect(rows.length).toBe(compiled.report.counts.patches);
    const row = rows.filter(({ slide }) => slide === dataset.slides[2]!.id).at(3)!;
    const place = content.patches[3]!;
    expect(row).toMatchObject({
      shard: `${dataset.slides[2]!.id}.tar`,
      patch: 3,
      offset: place.image.offset,
      length: place.image.length,
      maskOffset: null,
      class: place.facts.class,
      patient: 'patient-1',
      site: 'site-0',
      x: place.facts.x,
      y: place.facts.y,
      synthetic: true,
    });
    expect(row.tissue).toBeCloseTo(place.facts.scores.tissue!, 5);
  });

  it('counts in the report what is in the shards, and says so on the card', () => {
    const { counts, slides, failures } = compiled.report;
    expect([slides.length, failures.length]).toEqual([4, 0]);
    expect(counts.patches).toBe(slides.reduce((sum, slide) => sum + slide.patches, 0));
    expect(counts.synthetic).toBe(counts.patches);
    const byClass = Object.values(counts.byClass).reduce((sum, patches) => sum + patches, 0);
    expect(byClass).toBe(counts.patches);
    expect(Object.keys(counts.byPatient)).toEqual(['patient-0', 'patient-1']);
    const card = readFileSync(join(compiled.folder, 'CARD.md'), 'utf8');
    expect(card).toMatch(/^# Small synthetic dataset\n\n\*\*Synthetic:\*\*/);
    expect(card).toMatch(new RegExp(`patches \\| ${counts.patches}, 200 um wide, 64 px`));
    expect(card).not.toMatch(/not yet resolved/i);
    const content = JSON.parse(readFileSync(join(compiled.folder, 'CARD.json'), 'utf8'));
    expect(content.patchesByClass).toEqual(counts.byClass);
    expect(content.notices).toEqual([{ about: 'Synthetic', text: 'drawn by a program, not from patients' }]);
    for (const text of Object.values<string>(content.facts)) {
      expect(card).toContain(text.replace(/[\\|<>`*_[\]]/g, (sign) => `\\${sign}`));
    }
  });

  it('names sites in their order on the card, also where they are numbers', () => {
    const { report } = compiled;
    const bySite = { '10': 1, '02': 2, '01': 3, '9': 4 };
    const card = cardMarkdown(cardContent({ ...report, counts: { ...report.counts, bySite } }));
    expect(card).toContain('| site | patches |\n| --- | ---: |\n| 01 | 3 |\n| 02 | 2 |\n| 10 | 1 |\n| 9 | 4 |\n');
  });

  it('gives the same bytes whatever the number of workers, and in whatever order slides come', async () => {
    const reversed = { ...dataset, slides: [...dataset.slides].reverse() };
    const other = await compileDataset(reversed, { data: temporaryFolder(), workers: 3 });
    expect(await digests(other.folder)).toEqual(await digests(compiled.folder));
  });

  it('draws at most so many patches of a slide, by the seed', async () => {
    const places = async (seed: number) => {
      const options = { maxPatchesPerSlide: 3, seed, data: temporaryFolder() };
      const { folder, report } = await compileDataset(dataset, options);
      expect(report.slides.map(({ patches }) => patches)).toEqual([3, 3, 3, 3]);
      expect(report.slides[0]!.passed).toBe(compiled.report.slides[0]!.patches);
      const index = await readShardIndex(join(folder, 'index.arrow'));
      return index.objects().map((row) => Object.values(row).join());
    };
    const first = await places(1);
    expect(await places(1)).toEqual(first);
    expect(await places(2)).not.toEqual(first);
  });

  it('plans without opening a slide', () => {
    const nowhere = dataset.slides.map((slide) => ({ ...slide, path: '/nowhere' }));
    const plan = planCompile({ ...dataset, slides: nowhere }, { maxPatchesPerSlide: 500, data: '/nowhere' });
    const { processes } = readers();
    expect(plan).toMatchObject({ slides: 4, shardsThere: 0, patches: 2000, readers: readers() });
    expect(plan.hours).toBeCloseTo((2000 * (0.033 / 64)) / 3600 / processes, 9);
    expect(describePlan(plan)).toMatch(/readers {3}\d+.*together they use up to 640 MiB/);
    expect(plan.bytes).toBeCloseTo(2000 * (136_000 / 64), -3);
    expect(describePlan(plan)).toMatch(
      /slides {4}4, of which 0 have a shard\npatches {3}at most 2,000 \(200 um, 64 px\)/,
    );
    expect(describePlan(planCompile(dataset, {}))).toMatch(/patches {3}unknown before/);
    const there = planCompile(dataset, { data: join(compiled.folder, '..', '..') });
    expect([there.folder, there.shardsThere]).toEqual([compiled.folder, 4]);
  });

  it('keeps what is there, and makes anew what was made from something else', async () => {
    const data = temporaryFolder();
    const outcomes = async (slides: SlideDataset['slides']) => {
      const events: CompileProgress[] = [];
      await compileDataset({ ...dataset, slides }, { data, onProgress: (event) => events.push(event) });
      return Object.fromEntries(events.map(({ slide, outcome }) => [slide, outcome]));
    };
    const [first, second] = dataset.slides.slice(0, 2) as [(typeof dataset.slides)[0], (typeof dataset.slides)[0]];
    expect(await outcomes([first])).toEqual({ [first.id]: 'compiled' });
    expect(await outcomes([first, second])).toEqual({ [first.id]: 'already present', [second.id]: 'compiled' });
    const relabelled = { ...first, class: 'other' };
    expect(await outcomes([relabelled, second])).toEqual({ [first.id]: 'compiled', [second.id]: 'already present' });
  });

  it('leaves shards of slides that are no longer in the list, which nothing reads, or removes them if asked to', async () => {
    const [first, second, ...others] = dataset.slides as [DatasetSlide, DatasetSlide, ...DatasetSlide[]];
    const fewer = { ...dataset, slides: [first, second] };
    const undisturbed = await digests((await compileDataset(fewer, { data: temporaryFolder() })).folder);
    const data = temporaryFolder();
    await compileDataset(dataset, { data });
    const { folder, report, orphans, removed } = await compileDataset(fewer, { data });
    expect([orphans, removed]).toEqual([others.map(({ id }) => `${id}.tar`), []]);
    // Index, report and card are those of a folder without them.
    expect(await digests(folder)).toMatchObject(undisturbed);
    const loaded = await openShardDataset(folder);
    expect(loaded.shardNames).toEqual([`${first.id}.tar`, `${second.id}.tar`]);
    expect((await readAll(loaded)).length).toBe(report.counts.patches);
    const audited = await imagesOfShards(folder);
    expect(new Set(audited.images.map(({ slide }) => slide))).toEqual(new Set([first.id, second.id]));

    writeFileSync(join(folder, 'mine.tar'), 'not of pathlab');
    const cleared = await compileDataset(fewer, { data, removeOrphans: true });
    expect([cleared.orphans, cleared.removed]).toEqual([['mine.tar'], orphans]);
    rmSync(join(folder, 'mine.tar'));
    expect(await digests(folder)).toEqual(undisturbed);
  });

  it('makes a shard anew under a loader, which then says so', async () => {
    const data = temporaryFolder();
    const { folder } = await compileDataset(dataset, { data });
    const loaded = await openShardDataset(folder);
    await readAll(loaded);
    const slides = dataset.slides.map((slide) => ({
      ...slide,
      class: 'a name long enough to move all that follows'.repeat(20),
    }));
    await compileDataset({ ...dataset, slides }, { data });
    await expect(readAll(loaded)).rejects.toThrow(/does not match index\.arrow: open the dataset again/);
    rmSync(join(folder, `${slides[0]!.id}.tar`));
    await expect(readAll(loaded)).rejects.toThrow(
      /(is missing, but index\.arrow has patches of it|does not match index\.arrow)/,
    );
  });

  it('reports each slide that fails with its own reason, and compiles the rest', async () => {
    const folder = temporaryFolder();
    const file = (name: string) => join(folder, name);
    const good = dataset.slides[0]!;
    writeFileSync(file('empty.svs'), '');
    writeFileSync(file('text.svs'), 'This is not a slide.\n');
    copyFileSync(good.path, file('short.tif'));
    truncateSync(file('short.tif'), Math.floor((await stat(good.path)).size / 3));
    await sharp({ create: { width: 600, height: 600, channels: 3, background: '#c080a0' } })
      .tiff({ tile: true, compression: 'jpeg', tileWidth: 256, tileHeight: 256 })
      .toFile(file('no-mpp.tif'));
    await sharp({ create: { width: 600, height: 600, channels: 3, background: '#ffffff' } })
      .tiff({ tile: true, compression: 'jpeg', tileWidth: 256, tileHeight: 256 })
      .toFile(file('glass.tif'));
    writeFileSync(file('levels.tif'), tiffOf(Array(600).fill(tiledImage(256, 256)), { tail: 9 }));
    writeFileSync(file('huge.tif'), tiffOf([tiledImage(2 ** 20, 2 ** 20)]));
    symlinkSync(good.path, file('link.tif'));
    const slide = (id: string, name: string, mpp?: number) => ({
      ...good,
      id,
      path: file(name),
      mpp,
    });
    const slides = [
      slide('absent', 'absent.svs'),
      slide('empty', 'empty.svs'),
      slide('text', 'text.svs'),
      slide('short', 'short.tif'),
      slide('no-mpp', 'no-mpp.tif'),
      slide('glass', 'glass.tif', 0.5),
      slide('levels', 'levels.tif'),
      slide('huge', 'huge.tif'),
      slide('link', 'link.tif'),
      good,
    ];
    const { report, folder: made } = await compileDataset({ ...dataset, slides }, { data: folder });
    expect(report.slides.map(({ slide }) => slide)).toEqual([good.id]);
    const reasons = Object.fromEntries(report.failures.map(({ slide, reason }) => [slide, reason]));
    expect(reasons).toEqual({
      absent: expect.stringMatching(/no such file|does not exist/i),
      empty: expect.stringMatching(/empty \(0 bytes\)/),
      text: expect.stringMatching(/text\.svs is in no slide format/),
      short: expect.any(String),
      'no-mpp': expect.stringMatching(/the pixel size is unknown.*a table of slides takes a column mpp/),
      glass: expect.stringMatching(/has no usable patch/),
      levels: expect.stringMatching(/claims more than 512 images/),
      huge: expect.stringMatching(/claims to be 1048576 x 1048576 px/),
      link: expect.stringMatching(/link\.tif is a symbolic link/),
    });
    expect(JSON.stringify(report)).not.toContain(folder);
    expect(Object.keys(await digests(made)).sort()).toEqual([
      'CARD.json',
      'CARD.md',
      'index.arrow',
      'report.json',
      `${good.id}.tar`,
    ]);
    expect(readFileSync(join(made, 'CARD.md'), 'utf8')).toMatch(/Slides that failed[\s\S]*text \| text\.svs/);

    const stopped = compileDataset({ ...dataset, slides }, { data: temporaryFolder(), maxFailures: 2 });
    await expect(stopped).rejects.toThrow(/more than 2 of 10 slides failed/);
    const none = compileDataset({ ...dataset, slides: slides.slice(0, 3) }, { data: temporaryFolder() });
    await expect(none).rejects.toThrow(
      /none of the 3 slides could be compiled\. The last reasons:[\s\S]*text: text\.svs is/,
    );
  });

  it("says where the size of a pixel is in doubt, takes the table's word if told to, and judges no sharpness above 2 um", async () => {
    const dataset = await smallDataset(1);
    const [slide] = dataset.slides as [DatasetSlide];
    const compileWith = (changes: Partial<DatasetSlide>, micrometers: number) => {
      const geometry = { ...dataset.definition.geometry!, micrometers };
      const one = { definition: { ...dataset.definition, geometry }, slides: [{ ...slide, ...changes }] };
      return compileDataset(one, { data: temporaryFolder() });
    };
    const { report: doubtful } = await compileWith({ mpp: 5 }, 5000).catch((error: Error) => ({ report: error }));
    expect(doubtful instanceof Error ? doubtful.message : doubtful.failures[0]!.reason).toMatch(
      /has no usable patch: .*uncertain \(.*its pixels are 0\.5 um, but the given size is 5 um\).*"pixelSize": "table"/,
    );
    const { report } = await compileWith({ mpp: 3, mppFrom: 'caller' }, 1200);
    expect(report.counts.patches).toBeGreaterThan(0);
    expect(report.slides[0]).toMatchObject({ isSharpnessJudged: false, magnification: { mpp: 3, source: 'caller' } });
  });

  it('labels patches from polygons, by what covers most of them', async () => {
    const folder = temporaryFolder();
    const [one, other] = dataset.slides as [DatasetSlide, DatasetSlide];
    const slide = await openSlide(one.path);
    const half = slide.width / 2;
    const corners = [
      [-50, -50],
      [half, -50],
      [half, slide.height + 50],
      [-50, slide.height + 50],
      [-50, -50],
    ];
    const feature = (name: string, ring: number[][]) => ({
      type: 'Feature',
      properties: { classification: { name } },
      geometry: { type: 'Polygon', coordinates: [ring] },
    });
    const outside = corners.map(([x, y]) => [x! + 1e6, y!]);
    const write = (name: string, ring: number[][], group: string) => {
      const path = join(folder, name);
      writeFileSync(path, JSON.stringify({ type: 'FeatureCollection', features: [feature(group, ring)] }));
      return path;
    };
    const slides = [
      { ...one, annotation: write('half.geojson', corners, 'Tumor') },
      { ...other, annotation: null },
      { ...other, id: 'far', annotation: write('far.geojson', outside, 'Tumor') },
      { ...other, id: 'strange', annotation: write('strange.geojson', corners, 'Necrosis') },
    ];
    const classes = [
      { name: 'normal', label: 0 },
      { name: 'tumor', label: 1 },
    ];
    const labels = { from: 'annotation', classes, outside: 'normal', groups: { Tumor: 'tumor' } } as const;
    const definition = { ...dataset.definition, labels };
    const { report, folder: made } = await compileDataset({ definition, slides }, { data: folder });
    expect(report.failures.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/lies outside the slide/),
      expect.stringMatching(/class "Necrosis", which has no label/),
    ]);
    const { patches } = await readShard(join(made, `${one.id}.tar`));
    for (const { facts } of patches) {
      const side = 200 / slide.mpp;
      const share = Math.min(1, Math.max(0, (half - facts.x) / side));
      expect(facts.scores.share_tumor).toBeCloseTo(share, 1);
      expect(facts.class).toBe(share > 0.5 ? 'tumor' : 'normal');
    }
    expect(new Set(patches.map(({ facts }) => facts.class)).size).toBe(2);
    expect(
      (await readShard(join(made, `${other.id}.tar`))).patches.every(({ facts }) => facts.class === 'normal'),
    ).toBe(true);
    await slide.close();
  });

  it('puts masks beside the images, pixel for pixel', async () => {
    const folder = temporaryFolder();
    const [one, other] = dataset.slides as [DatasetSlide, DatasetSlide];
    const slide = await openSlide(one.path);
    const { width, height } = slide;
    await slide.close();
    const write = async (name: string, value: number, [across, down]: [number, number]) => {
      const path = join(folder, name);
      const third = across * Math.floor(down / 3);
      const bytes = Buffer.alloc(across * down, value)
        .fill(3, 0, third)
        .fill(8, 2 * third);
      await sharp(bytes, { raw: { width: across, height: down, channels: 1 } })
        .png()
        .toFile(path);
      return path;
    };
    const slides = [
      { ...one, mask: await write('good.png', 5, [width, height]) },
      { ...other, mask: await write('small.png', 5, [width, height >> 1]) },
      { ...other, id: 'unknown', mask: await write('unknown.png', 9, [width, height]) },
      { ...other, id: 'none' },
    ];
    const classes = [
      { name: 'stroma', label: 1 },
      { name: 'cancer', label: 4 },
    ];
    const labels = { from: 'mask', classes, values: { '*': { 3: 'stroma', 5: 'cancer', 8: null } } } as const;
    const definition = { ...dataset.definition, labels };
    const { report, folder: made } = await compileDataset({ definition, slides }, { data: folder });
    expect(Object.fromEntries(report.failures.map(({ slide, reason }) => [slide, reason]))).toEqual({
      none: expect.stringMatching(/none has no mask/),
      [other.id]: expect.stringMatching(/mask small\.png is \d+ x \d+ px and does not fit/),
      unknown: expect.stringMatching(/holds the value 9/),
    });
    expect(report.ignoredMaskValues).toEqual([8]);
    const shard = join(made, `${one.id}.tar`);
    const { patches } = await readShard(shard);
    for (const { facts, mask } of patches) {
      const png = readFileSync(shard).subarray(mask!.offset, mask!.offset + mask!.length);
      expect(await sharp(png).metadata()).toMatchObject({ width: 64, height: 64, channels: 1, depth: 'uchar' });
      const data = await sharp(png).extractChannel(0).raw().toBuffer();
      const third = Math.floor(height / 3);
      const label = (row: number) => [1, 4, 255, 255][Math.floor((facts.y + ((row + 0.5) * 200) / 64 / 0.5) / third)];
      for (const row of [0, 31, 63]) expect(data[row * 64 + 7]).toBe(label(row));
      const counted = data.filter((value) => value !== 255).length / data.length;
      expect(facts.scores.share_cancer! + facts.scores.share_stroma!).toBeCloseTo(counted, 6);
    }
    const loaded = await openShardDataset(made);
    expect(await sharp((await readAll(loaded))[1]!.mask).metadata()).toMatchObject({ format: 'png', width: 64 });
  });

  it('stops when it is asked to, and leaves nothing half done', async () => {
    const stop = new AbortController();
    const data = temporaryFolder();
    const options = { data, workers: 1, signal: stop.signal, onProgress: () => stop.abort() };
    await expect(compileDataset(dataset, options)).rejects.toMatchObject({ name: 'InterruptedError' });
    const { folder } = await compileDataset(dataset, { data });
    expect(await digests(folder)).toEqual(await digests(compiled.folder));
  });

  it('refuses names that could lead out of the folder, and slides that occur twice', async () => {
    const one = dataset.slides[0]!;
    const withIds = (...ids: string[]) => ({ ...dataset, slides: ids.map((id) => ({ ...one, id })) });
    for (const id of ['../escape', 'a/b', '.hidden', '', 'a..b', 'x'.repeat(200), 'tab\t']) {
      await expect(compileDataset(withIds(id))).rejects.toThrow(/cannot name a file/);
    }
    await expect(compileDataset({ ...dataset, definition: { ...dataset.definition, name: '../x' } })).rejects.toThrow(
      /cannot name a file/,
    );
    await expect(compileDataset(withIds('a', 'b', 'a'))).rejects.toThrow(/"a" occurs twice/);
    await expect(compileDataset(withIds('a', 'A'))).rejects.toThrow(/only in upper and lower case/);
    await expect(compileDataset(withIds())).rejects.toThrow(/has no slides/);
  });

  it('does not take a shard that is damaged or half there for a whole one', async () => {
    const data = temporaryFolder();
    const { folder } = await compileDataset(dataset, { data });
    const shard = join(folder, `${dataset.slides[1]!.id}.tar`);
    const { size } = await stat(shard);
    truncateSync(shard, size / 2);
    await expect(readShard(shard)).rejects.toThrow(/cut off|damaged|JSON/);
    const again = await compileDataset(dataset, { data });
    expect(await digests(again.folder)).toEqual(await digests(compiled.folder));
  });
});
