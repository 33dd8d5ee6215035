import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  imageLimits,
  openLabelImage,
  openSlide,
  patchGrid,
  polygonLabels,
  rasterizePolygon,
  readImageFile,
  readLabelPatch,
  readPolygons,
  type Slide,
  tissueMask,
} from '../../src/slides/index.js';
import { parseXml } from '../../src/slides/labels/xml.js';
import { pngFile } from './png-file.js';
import { writeSmallSlide } from './small-slide.js';

let folder: string;
let slide: Slide;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-labels-'));
  await writeSmallSlide(join(folder, 'slide.tif'), 'labels', { columns: 2, rows: 1 });
  slide = await openSlide(join(folder, 'slide.tif'));
});
afterAll(async () => {
  await slide.close();
  rmSync(folder, { recursive: true, force: true });
});

const write = (name: string, content: string | Uint8Array) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

describe('rasterizePolygon', () => {
  const reference = JSON.parse(
    readFileSync(fileURLToPath(new URL('../fixtures/shapely-polygons/polygons.json', import.meta.url)), 'utf8'),
  ) as {
    width: number;
    height: number;
    cases: { x: number; y: number; pixelSize: number; rings: number[][]; inside: string[] }[];
  };

  it('paints the pixels whose centers shapely finds inside, holes and all', () => {
    const { width, height } = reference;
    for (const { rings, inside, ...grid } of reference.cases) {
      const painted = new Uint8Array(width * height);
      const polygon = { name: '', rings: rings.map((ring) => Float64Array.from(ring)) };
      rasterizePolygon(polygon, { ...grid, width, height }, 1, painted);
      expect(
        Array.from({ length: height }, (_, row) => painted.subarray(row * width, (row + 1) * width).join('')),
      ).toEqual(inside);
    }
  });

  it('gives a center on a shared edge to one of two neighbors', () => {
    const square = (left: number, top: number) =>
      Float64Array.from([left, top, left + 2.5, top, left + 2.5, top + 2.5, left, top + 2.5]);
    const counts = new Uint8Array(25);
    for (const [left, top] of [
      [0, 0],
      [2.5, 0],
      [0, 2.5],
      [2.5, 2.5],
    ] as const) {
      const one = new Uint8Array(25);
      rasterizePolygon(
        { name: '', rings: [square(left, top)] },
        { x: 0, y: 0, width: 5, height: 5, pixelSize: 1 },
        1,
        one,
      );
      for (const [pixel, value] of one.entries()) counts[pixel]! += value;
    }
    expect(counts.every((count) => count === 1)).toBe(true);
  });
});

const asap = (annotations: string) =>
  `<?xml version="1.0"?>\n<ASAP_Annotations><Annotations>${annotations}</Annotations><AnnotationGroups/></ASAP_Annotations>`;
const triangle = (attributes: string) =>
  `<Annotation Name="a &lt;1&gt;" ${attributes} Color="#F4FA58"><Coordinates><Coordinate Order="1" X="800,5" Y="400"/>` +
  '<Coordinate Order="0" X="400" Y="400"/><Coordinate Order="2" X="400" Y="800"/></Coordinates></Annotation>';

describe('readPolygons', () => {
  it("reads ASAP's XML: groups, order, decimal commas, what has no area", async () => {
    const path = write(
      'asap.xml',
      asap(
        triangle('Type="Polygon" PartOfGroup="Tumor"') +
          triangle('Type="Spline" PartOfGroup="None"') +
          triangle('Type="Dot" PartOfGroup="Tumor"'),
      ),
    );
    const { polygons, withoutArea } = await readPolygons(path);
    expect(polygons.map(({ name }) => name)).toEqual(['Tumor', 'a <1>']);
    expect([...polygons[0]!.rings[0]!]).toEqual([400, 400, 800.5, 400, 400, 800]);
    expect(withoutArea).toBe(1);
  });

  it("reads GeoJSON, and QuPath's list of features", async () => {
    const ring = [
      [0, 0],
      [9, 0],
      [0, 9],
      [0, 0],
    ];
    const properties = { classification: { name: 'Tumor' } };
    const features = [
      { type: 'Feature', properties, geometry: { type: 'Polygon', coordinates: [ring, ring] } },
      {
        type: 'Feature',
        properties: { name: 'other' },
        geometry: { type: 'MultiPolygon', coordinates: [[ring], [ring]] },
      },
      { type: 'Feature', properties, geometry: { type: 'Point', coordinates: [1, 1] } },
    ];
    const collection = JSON.stringify({ type: 'FeatureCollection', features });
    for (const content of [JSON.stringify(features), collection, `\uFEFF${collection}`]) {
      const { polygons, withoutArea } = await readPolygons(write('a.geojson', content));
      expect(polygons.map(({ name, rings }) => [name, rings.length])).toEqual([
        ['Tumor', 2],
        ['other', 1],
        ['other', 1],
      ]);
      expect(withoutArea).toBe(1);
    }
  });

  it('passes over and counts what has no area: a stray click, a line drawn as an area, no geometry', async () => {
    const click = (corners: number) =>
      `<Annotation Name="click" Type="Polygon" PartOfGroup="Tumor"><Coordinates>${Array.from({ length: corners }, (_, n) => `<Coordinate Order="${n}" X="5" Y="${n}"/>`).join('')}</Coordinates></Annotation>`;
    const asapFile = write('stray.xml', asap(click(1) + click(2) + triangle('Type="Polygon" PartOfGroup="Tumor"')));
    expect(await readPolygons(asapFile)).toMatchObject({ polygons: [{ name: 'Tumor' }], withoutArea: 2 });
    const coordinates = [
      [
        [0, 0],
        [9, 0],
        [0, 9],
      ],
    ];
    const features = [
      { type: 'Feature', geometry: null, properties: { objectType: 'root' } },
      {
        type: 'Feature',
        geometry: {
          type: 'Polygon',
          coordinates: [
            [
              [1, 1],
              [2, 2],
              [1, 1],
            ],
          ],
        },
        properties: {},
      },
      {
        type: 'Feature',
        geometry: { type: 'Polygon', coordinates },
        properties: { classification: { name: 'Tumor' } },
      },
    ];
    const { polygons, withoutArea } = await readPolygons(write('null.geojson', JSON.stringify({ features })));
    expect([polygons.map(({ name }) => name), withoutArea]).toEqual([['Tumor'], 2]);
  });

  it.each<[unknown, string]>([
    [{ name: 'Tumor' }, 'Tumor'],
    [{ names: ['Tumor', 'Positive'] }, 'Tumor: Positive'],
    ['{"name": "Tumor", "color": [200, 0, 0]}', 'Tumor'],
    ['Tumor', 'Tumor'],
    ['{Tumor', '{Tumor'],
    [null, ''],
    [undefined, ''],
    ['null', ''],
  ])('reads the classification %j', async (classification, name) => {
    const geometry = {
      type: 'Polygon',
      coordinates: [
        [
          [0, 0],
          [9, 0],
          [0, 9],
        ],
      ],
    };
    const feature = JSON.stringify({ type: 'Feature', geometry, properties: { classification } });
    expect((await readPolygons(write('class.geojson', feature))).polygons[0]!.name).toBe(name);
  });

  it('reads the areas of a collection, and counts what has none', async () => {
    const area = (x: number) => [
      [
        [x, 0],
        [9, 0],
        [0, 9],
      ],
    ];
    const geometries = [
      { type: 'Polygon', coordinates: area(0) },
      { type: 'Point', coordinates: [1, 1] },
      { type: 'MultiPolygon', coordinates: [area(1), area(2)] },
    ];
    const geometry = { type: 'GeometryCollection', geometries };
    const feature = JSON.stringify({ type: 'Feature', geometry, properties: { name: 'a' } });
    const { polygons, withoutArea } = await readPolygons(write('collection.geojson', feature));
    expect(polygons.map(({ name, rings }) => [name, rings[0]![0]])).toEqual([
      ['a', 0],
      ['a', 1],
      ['a', 2],
    ]);
    expect(withoutArea).toBe(1);
  });

  it('says what is wrong with a file', async () => {
    const says = async (content: string, expected: RegExp) =>
      expect(readPolygons(write('bad', content))).rejects.toThrow(expected);
    await expect(readPolygons(join(folder, 'absent.xml'))).rejects.toThrow(/absent\.xml cannot be read/);
    await says('{', /bad is neither XML nor JSON/);
    await says('<svg/>', /not from ASAP: its root is <svg>, not <ASAP_Annotations>/);
    await says(asap(triangle('Type="Circle"')), /annotation 1 \(a <1>\) is of the unknown type Circle/);
    await says(
      asap(triangle('Type="Polygon"')).replace('X="400"', 'X="left"'),
      /corner 1 is not a pair of coordinates/,
    );
    await says(asap(triangle('Type="Polygon"')).split('</Annotations>')[0]!, /is never closed: the file is cut short/);
    await says('{"type":"Curve"}', /has the geometry "Curve", which is not supported/);
  });
});

describe('parseXml', () => {
  it.each([
    ['<!DOCTYPE a [<!ENTITY b "c">]><a/>', /line 1: document types, entities and CDATA are refused/],
    ['<a>\n<b c="&d;"/></a>', /line 2: the entity &d; is refused/],
    ['<a b="1" b="2"/>', /b is given twice/],
    ['<a></b>', /<\/b> closes an element that is not open/],
    ['<a/><b/>', /does not hold one document/],
    ['<a b=1/>', /this is not XML/],
    ['<a>'.repeat(100), /more than 64 deep/],
  ])('refuses %s', (text, expected) => {
    expect(() => parseXml(text, 'file')).toThrow(expected);
  });
});

describe('labels of a slide', () => {
  it('polygons of a derived class take the label of its whole name, or else of its one part that has one', async () => {
    const labelOf = async (name: string, labels: Record<string, number>) => {
      const source = polygonLabels([{ name, rings: [Float64Array.from([0, 0, 100, 0, 0, 100])] }], slide, { labels });
      return (await source.read({ x: 10, y: 10, width: 1, height: 1, pixelSize: 1 }))[0];
    };
    expect(await labelOf('Tumor: Positive', { Tumor: 1, 'Tumor: Positive': 2 })).toBe(2);
    expect(await labelOf('Tumor: Positive', { Tumor: 1 })).toBe(1);
    await expect(labelOf('Tumor: Positive', { Tumor: 1, Positive: 2 })).rejects.toThrow(
      /Tumor and Positive have labels/,
    );
    await expect(labelOf('', { Tumor: 1 })).rejects.toThrow(
      /a polygon of .* has no classification\. Labels are given to Tumor: change its class to one of these/,
    );
  });

  it('polygons: later classes lie over earlier ones', async () => {
    const square = (left: number, top: number, side: number) => [
      Float64Array.from([left, top, left + side, top, left + side, top + side, left, top + side]),
    ];
    const labels = polygonLabels(
      [
        { name: 'hole', rings: square(500, 500, 100) },
        { name: 'tumor', rings: square(400, 400, 400) },
      ],
      slide,
      { labels: { tumor: 1, hole: 0 } },
    );
    const index = patchGrid(slide, await tissueMask(slide));
    const patch = Array.from(index.x).findIndex((x, at) => x === 400 && index.y[at] === 400);
    const read = await readLabelPatch(labels, index, patch, 200);
    expect(read.reduce((sum, label) => sum + label, 0)).toBe(200 * 200 - 50 * 50);
    expect([read[0], read[50 * 200 + 50], read[49 * 200 + 50]]).toEqual([1, 0, 1]);
  });

  it('polygons outside the slide, or of a class that is not in the map, are errors', () => {
    const far = [{ name: 'tumor', rings: [Float64Array.from([9000, 0, 9100, 0, 9000, 100])] }];
    expect(() => polygonLabels(far, slide, { labels: { tumor: 1 } })).toThrow(
      /a polygon of .*slide\.tif \("tumor"\) lies outside the slide .*slide\.tif: from \(9000, 0\) to \(9100, 100\), and the slide is 1600 x 1200 px/,
    );
    expect(() => polygonLabels(far, slide, { labels: { normal: 0 } })).toThrow(
      /class "tumor", which has no label.*normal/,
    );
  });

  it('label images: the nearest pixel counts, at any scale, beyond the edge the background', async () => {
    // Each label pixel is 4 level-0 px.
    const [width, height] = [400, 300];
    const data = Uint8Array.from(
      { length: width * height },
      (_, pixel) => ((pixel % width) + Math.floor(pixel / width)) % 6,
    );
    const image = sharp(data, { raw: { width, height, channels: 1 } });
    await image.clone().png().toFile(join(folder, 'mask.png'));
    await image.clone().tiff({ tile: true, compression: 'deflate', pyramid: true }).toFile(join(folder, 'mask.tif'));
    for (const name of ['mask.png', 'mask.tif']) {
      const labels = await openLabelImage(join(folder, name), slide, { background: 9 });
      const read = await labels.read({ x: 1588, y: 402, width: 5, height: 2, pixelSize: 3 });
      // Centers at x 1589.5, 1592.5, ... and y 403.5, 406.5.
      const row = (y: number) => [397, 398, 398, 399].map((x) => (x + y) % 6);
      expect([...read]).toEqual([...row(100), 9, ...row(101), 9]);
      await labels.close();
    }
  });

  it('a color profile in a PNG changes no label', async () => {
    const raw = { width: 400, height: 300, channels: 3 as const };
    const pixels = Buffer.alloc(400 * 300 * 3);
    for (let pixel = 0; pixel < 400 * 300; pixel++) pixels[3 * pixel] = pixel % 6;
    const plain = await sharp(pixels, { raw }).png().toBuffer();
    const { icc } = await sharp(await sharp(pixels, { raw }).withIccProfile('p3').png().toBuffer()).metadata();
    const content = Buffer.concat([Buffer.from('iCCPp3\0\0', 'latin1'), deflateSync(icc!)]);
    const [length, checksum] = [content.length - 4, crc32(content)].map((value) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    });
    // After the signature and the header, which comes first.
    const path = write(
      'profile.png',
      Buffer.concat([plain.subarray(0, 33), length!, content, checksum!, plain.subarray(33)]),
    );
    expect((await sharp(path).metadata()).hasProfile).toBe(true);
    const labels = await openLabelImage(path, slide);
    const read = await labels.read({ x: 0, y: 0, width: 400, height: 300, pixelSize: 4 });
    expect(read).toEqual(Uint8Array.from({ length: 400 * 300 }, (_, pixel) => pixel % 6));
    await labels.close();
  });

  // Entries that nothing uses are black, as the first is: a color does not tell an index.
  const palette = [
    [0, 0, 0],
    [128, 0, 0],
    [0, 128, 0],
    [0, 0, 0],
  ] as const;

  it.each([
    ['a palette of 8 bits', 8, palette],
    ['a palette of 4 bits', 4, palette],
    ['a palette of 2 bits', 2, palette],
    ['gray values of 4 bits', 4, undefined],
    ['gray values of 2 bits', 2, undefined],
    ['gray values of 8 bits', 8, undefined],
  ] as const)('the label in a PNG with %s is what is stored', async (_, depth, colors) => {
    const [width, height] = [401, 301];
    const values = Array.from({ length: width * height }, (_, pixel) => (pixel * 7) % 4);
    const path = write('stored.png', pngFile(width, values, { depth, palette: colors }));
    const labels = await openLabelImage(path, { path: 'a slide', width, height });
    const read = await labels.read({ x: 0, y: 0, width, height, pixelSize: 1 });
    expect(read).toEqual(Uint8Array.from(values));
    await labels.close();
  });

  it('a TIFF with a palette is refused by name, tiled or not', async () => {
    const gray = sharp({ create: { width: 400, height: 300, channels: 3, background: '#020202' } }).toColourspace(
      'b-w',
    );
    for (const tile of [true, false]) {
      const tiff = await gray.clone().tiff({ tile, compression: 'none' }).toBuffer();
      // PhotometricInterpretation, a SHORT, from 1 (black is zero) to 3 (palette).
      const at = tiff.indexOf(Buffer.from([0x06, 0x01, 0x03, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01]));
      expect(at).toBeGreaterThan(0);
      tiff[at + 8] = 3;
      const path = write('palette.tif', tiff);
      const opened = tile
        ? openLabelImage(path, slide)
        : readImageFile(path, { as: 'labels', tolerant: true, limits: imageLimits }, path);
      await expect(opened).rejects.toThrow(/palette\.tif.* has a palette, which is supported in PNG only/);
    }
  });

  it('label images of another size, lossy ones, and ones of many bits are errors', async () => {
    const testImage = (width: number, height: number) =>
      sharp({ create: { width, height, channels: 3, background: '#020000' } });
    await testImage(400, 200).png().toFile(join(folder, 'other.png'));
    await expect(openLabelImage(join(folder, 'other.png'), slide)).rejects.toThrow(
      /other\.png is 400 x 200 px and does not fit the slide .* of 1600 x 1200 px/,
    );
    await testImage(1600, 1200).tiff({ tile: true, compression: 'jpeg' }).toFile(join(folder, 'lossy.tif'));
    await expect(openLabelImage(join(folder, 'lossy.tif'), slide)).rejects.toThrow(/is JPEG, which changes labels/);
    await testImage(1600, 1200).tiff({ compression: 'lzw' }).toFile(join(folder, 'strips.tif'));
    await expect(openLabelImage(join(folder, 'strips.tif'), slide)).rejects.toThrow(
      /the mask .*strips\.tif is neither a PNG nor a tiled TIFF; write it as a PNG/,
    );
    await testImage(1600, 1200).toColourspace('rgb16').png().toFile(join(folder, 'deep.png'));
    await expect(openLabelImage(join(folder, 'deep.png'), slide)).rejects.toThrow(/holds ushort values/);
    // OpenSlide would give the upper byte of each value: 0.
    await testImage(1600, 1200)
      .toColourspace('rgb16')
      .tiff({ tile: true, compression: 'deflate' })
      .toFile(join(folder, 'deep.tif'));
    await expect(openLabelImage(join(folder, 'deep.tif'), slide)).rejects.toThrow(/deep\.tif holds values of 16 bits/);
    await testImage(1600, 1200)
      .toColourspace('b-w')
      .tiff({ tile: true, compression: 'jpeg' })
      .toFile(join(folder, 'gray.tif'));
    await expect(openLabelImage(join(folder, 'gray.tif'), slide)).rejects.toThrow(/is JPEG, which changes labels/);
    await expect(openLabelImage(write('no.png', 'no image'), slide)).rejects.toThrow(
      /no\.png is not a jpeg, png, tiff, webp image/,
    );
  });
});
