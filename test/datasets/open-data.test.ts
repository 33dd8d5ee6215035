import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { audit } from '../../src/cli/audit.js';
import { compile } from '../../src/cli/compile.js';
import {
  inferDefinition,
  type LabelRule,
  type OpenDataOptions,
  openData,
  readDefinition,
  readEncoded,
  shardFolder,
} from '../../src/datasets/index.js';
import { writeSmallSlide } from '../slides/small-slide.js';
import { smallDataset, temporaryFolder, testImage } from './small-dataset.js';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
  vi.restoreAllMocks();
});

function write(name: string, content: Buffer | string): string {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

async function images(...names: string[]): Promise<void> {
  for (const name of names) write(name, await testImage(name, 32));
}

/** Opens data of the test's folder, and tells how many shards were compiled for it. */
async function open(name: string, options: OpenDataOptions = {}) {
  let compiled = 0;
  const onProgress = () => void compiled++;
  const opened = await openData(join(folder, name), { data: join(folder, 'data'), onProgress, ...options });
  return { ...opened, compiled };
}

const rowsOf = (column: { codes: Int32Array; names: readonly string[] }) =>
  Array.from(column.codes, (code) => column.names[code] ?? null);

describe('a folder of slides', () => {
  const rowsOfTable = ({ table }: { table?: string }) => table!.trim().split('\n');

  it('is cut as the paper cuts, each slide for itself where names tell no patient', async () => {
    await writeSmallSlide(write('mine/one.tif', ''), 'one', { columns: 2, rows: 2 });
    write('mine/notes.txt', 'no slide');
    const { dataset, definition, understood } = await open('mine');
    expect(dataset.report.slides.map(({ slide }) => slide)).toEqual(['one']);
    expect(dataset.size).toBe(512);
    expect(dataset.count).toBeGreaterThan(2);
    expect(definition).toMatchObject({ unit: 'slides', labels: { from: 'none' }, split: { by: 'slide' } });
    expect(understood.slice(0, 3)).toEqual([
      'mine has 1 slide.',
      'Their names do not give patients: slides of one patient may be in different splits.',
      'Patches are of 200 um (512 px), at least half of each tissue.',
    ]);
  });

  it('has patients where names tell them, and classes by folders; a MIRAX folder is none', async () => {
    for (const name of ['TCGA-AA-0001-01Z-00-DX1.svs', 'TCGA-AA-0001-01Z-00-DX2.svs', 'TCGA-BB-0002-01Z-00-DX1.svs']) {
      write(`tcga/${name}`, '');
    }
    const tcga = await inferDefinition(join(folder, 'tcga'));
    expect(
      rowsOfTable(tcga)
        .slice(1)
        .map((row) => row.split(',')[1]),
    ).toEqual(['TCGA-AA-0001', 'TCGA-AA-0001', 'TCGA-BB-0002']);
    expect(tcga.understood[1]).toBe(
      'Patients are read from names, such as TCGA-AA-0001 from TCGA-AA-0001-01Z-00-DX1.svs.',
    );
    expect(tcga.definition.split.by).toBe('patient');
    write('classes/tumor/patient_017_node_2.ndpi', '');
    write('classes/normal/patient_018_node_1.ndpi', '');
    const classes = await inferDefinition(join(folder, 'classes'));
    expect(classes.definition.labels).toMatchObject({ classes: [{ name: 'normal' }, { name: 'tumor' }] });
    expect(rowsOfTable(classes)).toEqual([
      'path,patient,class',
      'normal/patient_018_node_1.ndpi,patient_018,normal',
      'tumor/patient_017_node_2.ndpi,patient_017,tumor',
    ]);
    write('mirax/a.mrxs', '');
    write('mirax/a/Slidedat.ini', '');
    expect(rowsOfTable(await inferDefinition(join(folder, 'mirax')))).toEqual(['path', 'a.mrxs']);
  });
});

describe('a table of patches', () => {
  it('opens by the usual names of its columns, whatever their case, and says what it took them for', async () => {
    await images('a.jpg', 'b.jpg', 'c.jpg');
    write(
      'mine.csv',
      'Image_Path,Diagnosis,Patient ID,Hospital,Split,age\na.jpg,1,007,north,train,50\nb.jpg,0,008,south,val,51\nc.jpg,1,007,,test,52\n',
    );
    const { dataset, definition, understood } = await open('mine.csv');
    expect(dataset.classNames).toEqual(['0', '1']);
    expect([...dataset.labels]).toEqual([1, 0, 1]);
    expect(rowsOf(dataset.patients)).toEqual(['007', '008', '007']);
    expect(rowsOf(dataset.sites)).toEqual(['north', 'south', null]);
    expect(rowsOf(dataset.splits!)).toEqual(['train', 'validation', 'test']);
    expect([...dataset.synthetic]).toEqual([0, 0, 0]);
    expect(understood).toEqual([
      'mine.csv is a table of 3 patches: "Image_Path" the path, "Diagnosis" the class, "Patient ID" the patient, ' +
        '"Hospital" the site, "Split" the split; age is not used.',
      '3 patches of 32 x 32 px.',
      '2 classes: 0 (1), 1 (2).',
      '2 patients, such as 007, 008.',
      '2 sites, such as north, south.',
      'The data have their own split: train (1), validation (1), test (1).',
      'Licence, origin and citation are not stated.',
    ]);
    expect(definition).toMatchObject({
      title: 'Patches of mine',
      licence: { name: 'not stated', url: null },
      origin: { name: 'not stated', url: null },
      citation: 'not stated',
      split: { by: 'patient' },
    });
    expect(readFileSync(join(dataset.folder, 'CARD.md'), 'utf8')).toMatch(/licence \| not stated/);
  });

  it('is compiled once, and again only when its files or its list change', async () => {
    await images('a.jpg', 'b.jpg');
    write('mine.csv', 'file,label\na.jpg,x\nb.jpg,y\n');
    const first = await open('mine.csv');
    expect(first.compiled).toBe(1);
    const again = await open('mine.csv');
    expect([again.compiled, again.dataset.indexSha256]).toEqual([0, first.dataset.indexSha256]);
    expect(again.understood).toEqual(first.understood);
    rmSync(join(first.dataset.folder, first.dataset.shardNames[0]!));
    expect((await open('mine.csv')).compiled).toBe(1);
    write('b.jpg', await testImage('another', 32));
    const changed = await open('mine.csv');
    expect(changed.compiled).toBe(1);
    expect(changed.dataset.indexSha256).not.toBe(first.dataset.indexSha256);
    write('mine.csv', 'file,label\na.jpg,x\nb.jpg,z\n');
    const relabelled = await open('mine.csv');
    expect([relabelled.compiled, relabelled.dataset.classNames]).toEqual([1, ['x', 'z']]);
  });

  it('without patients takes what stands for them, and says so on the page and on the card', async () => {
    await images('a.jpg', 'b.jpg', 'c.jpg');
    write('index.csv', 'file,tile\na.jpg,t1\nb.jpg,t1\nc.jpg,t2\n');
    const { dataset, understood } = await open('.');
    expect(rowsOf(dataset.patients)).toEqual(['t1', 't1', 't2']);
    expect(understood).toEqual([
      expect.stringMatching(/ holds index\.csv, which is taken as its table\.$/),
      'index.csv is a table of 3 patches: "file" the path.',
      'No column names patients: "tile" is used instead. Two of its values may be of one patient.',
      '3 patches of 32 x 32 px.',
      'No patch has a class.',
      '2 values of "tile" instead of patients, such as t1, t2.',
      'Licence, origin and citation are not stated.',
    ]);
    expect(readFileSync(join(dataset.folder, 'CARD.md'), 'utf8')).toMatch(/"tile" is used instead/);
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(await audit([dataset.folder, '--validation', '0', '--test', '.5', '--folds', '1'])).toBe(0);
    expect(said.mock.calls[0]![0]).toMatch(/: No leak found, but read the warning: 0 patients across splits/);
    write('with.csv', 'file,tile,case\na.jpg,t1,p1\nb.jpg,t1,p1\nc.jpg,t2,p2\n');
    const { definition } = await inferDefinition(join(folder, 'with.csv'));
    expect(definition.source).toMatchObject({ columns: { path: 'file', patient: 'case' } });
  });

  it('without anything of patients says loudly what that means', async () => {
    await images('a.jpg', 'b.jpg');
    write('plain.csv', 'path\na.jpg\nb.jpg\n');
    const { dataset, understood } = await open('plain.csv');
    expect(rowsOf(dataset.patients)).toEqual([null, null]);
    expect(understood.join('\n')).toMatch(/No patient is known\. A split cannot keep .* may be too good/);
    write('each.csv', 'path,patient\na.jpg,1\nb.jpg,2\n');
    expect((await open('each.csv')).understood.join('\n')).toMatch(/EVERY PATCH HAS ITS OWN PATIENT/);
  });

  it('a folder of images and one of their masks are understood without a table', async () => {
    const mask = (value: number) =>
      sharp(Buffer.alloc(1024, value), { raw: { width: 32, height: 32, channels: 1 } })
        .png()
        .toBuffer();
    await images('set/Images/a.jpg', 'set/Images/b, c.jpg');
    write('set/masks/a_mask.png', await mask(2));
    write('set/masks/b, c.png', await mask(7));
    const { dataset, understood } = await open('set');
    expect(dataset.classNames).toEqual(['2', '7']);
    expect([...dataset.labels]).toEqual([0, 1]);
    expect(understood[0]).toMatch(/has 2 images in Images\/ and a mask for each in masks\/\./);
  });

  it('with masks has their values as classes, and the mask beside each patch', async () => {
    const mask = (values: Buffer) =>
      sharp(values, { raw: { width: 32, height: 32, channels: 1 } })
        .png()
        .toBuffer();
    await images('a.jpg', 'b.jpg', 'c.jpg');
    write('a.png', await mask(Buffer.alloc(1024, 10).fill(2, 0, 100)));
    write('b.png', await mask(Buffer.alloc(1024, 255).fill(2, 0, 1000)));
    write('t.csv', 'image,mask,grade,label\na.jpg,a.png,1,x\nb.jpg,b.png,2,x\nc.jpg,,2,x\n');
    const { dataset, understood } = await open('t.csv');
    expect(dataset.classNames).toEqual(['2', '10']);
    expect([...dataset.labels]).toEqual([1, 0]);
    const [first, second] = await Promise.all(
      (await readEncoded(dataset, [0, 1])).map(({ mask }) => sharp(mask).extractChannel(0).raw().toBuffer()),
    );
    expect([first![0], first![99], first![100]]).toEqual([0, 0, 1]);
    expect([second![999], second![1000]]).toEqual([0, 255]);
    expect(understood.join('\n')).toMatch(/"image" the path, "mask" the mask; grade, label are not used/);
    expect(understood.join('\n')).toMatch(/2 classes: 2 \(1\), 10 \(1\)\./);
    expect(understood.join('\n')).toMatch(
      /255 are taken as not annotated: they are ignored[\s\S]*255 are ignored: 1\.2 % of/,
    );
    expect(understood.join('\n')).toMatch(/Excluded: 1 \(c\): it has no mask/);
    write('t.csv', 'image,mask\na.jpg,gone.png\n');
    await expect(open('t.csv')).rejects.toThrow(
      /t\.csv: no mask of the column "mask" can be read: there is no such file/,
    );
    write('t.csv', 'image,mask\na.jpg,b.jpg\n');
    await expect(open('t.csv')).rejects.toThrow(/b\.jpg is jpeg, which may change labels/);
  });

  it.each<[string, number[], string[]]>([
    ['a class in binary masks', [0, 255], ['0', '255']],
    ['a class where it is the only value', [255], ['255']],
    ['a class in gray levels', [0, 85, 170, 255], ['0', '85', '170', '255']],
    ["ignored beside Pascal VOC's classes", [0, 1, 2, 255], ['0', '1', '2']],
    ['ignored beside some of them', [0, 15, 255], ['0', '15']],
  ])('takes 255 in masks as %s, and says so', async (_, values, classes) => {
    await images('a.jpg');
    const mask = Buffer.from(Array.from({ length: 1024 }, (_, place) => values[place % values.length]!));
    const raw = { raw: { width: 32, height: 32, channels: 1 } } as const;
    write('a.png', await sharp(mask, raw).png().toBuffer());
    write('t.csv', 'image,mask\na.jpg,a.png\n');
    const { definition, understood } = await inferDefinition(join(folder, 't.csv'));
    const { labels } = definition as { labels: Extract<LabelRule, { from: 'mask' }> };
    expect(labels.classes).toEqual(classes.map((name, label) => ({ name, label })));
    expect(labels.values['*']![255]).toBe(classes.includes('255') ? '255' : null);
    expect(understood[1]).toMatch(
      classes.includes('255') ? /255 is taken for a class.* map it to null/ : /are ignored/,
    );
  });

  it('makes names of classes that files can have, and keeps apart those that would be one', async () => {
    write(
      't.csv',
      `file,label\n${['Invasive carcinoma', 'a b', 'a-b', 'A B', '癌', '-1', '__proto__', '1.5'].map((word, n) => `${n}.jpg,${word}`).join('\n')}\n`,
    );
    const { definition, understood } = await inferDefinition(join(folder, 't.csv'));
    const { classes, values } = definition.labels as Extract<LabelRule, { from: 'slide' }>;
    expect(Object.hasOwn(values, '__proto__')).toBe(true);
    // "a b" and "A B" differ in case alone.
    expect(classes.length).toBe(7);
    expect(values).toMatchObject({
      'Invasive carcinoma': 'Invasive-carcinoma',
      'a-b': 'a-b',
      '-1': 'class-1',
      1.5: '1.5',
    });
    expect(values['A B']).toMatch(/^A-B-[0-9a-f]{8}$/);
    expect(values.癌).toMatch(/^class-[0-9a-f]{8}$/);
    expect(understood.join('\n')).toMatch(/"Invasive carcinoma" is the class Invasive-carcinoma/);
    write('numbers.csv', 'file,label\na.jpg,10\nb.jpg,9\nc.jpg,2\n');
    const { labels } = (await inferDefinition(join(folder, 'numbers.csv'))).definition;
    expect((labels as { classes: object }).classes).toEqual(['2', '9', '10'].map((name, label) => ({ name, label })));
  });

  it.each<[string, string, RegExp]>([
    [
      'two columns that may be the path',
      'file,image,label\na.jpg,a.jpg,x\n',
      /t\.csv has 2 columns that may be the patch's path: file, image\. Rename or remove .* Its columns are file, image, label/,
    ],
    ['two that may be the class', 'file,label,Class\na.jpg,x,y\n', /2 columns that may be its class: label, Class/],
    [
      'two that may stand for patients',
      'file,slide,tile\na.jpg,x,y\n',
      /2 columns that may be a group that replaces its patient: slide, tile/,
    ],
    [
      'no column of paths',
      'id,label\na,x\n',
      /t\.csv has no column recognized as the patches' paths; its columns are id, label\. Name that column "path"/,
    ],
    [
      'an empty class',
      'file,label\na.jpg,x\nb.jpg,\n',
      /"label" is empty in 1 of 2 rows, first in row 2\. Write a class/,
    ],
    [
      'measurements for classes',
      `file,target\n${Array.from({ length: 300 }, (_, n) => `${n}.jpg,${n / 7}`).join('\n')}\n`,
      /the column "target" has 300 different values, more than the 256 that may be classes/,
    ],
    [
      'a split that is misspelt',
      'file,split\na.jpg,train\nb.jpg,tets\n',
      /"split" has names of splits and other values: tets\. Use train/,
    ],
    ['no rows', 'file,label\n', /t\.csv has no rows/],
    ['semicolons', 'file;label\na.jpg;x\n', /t\.csv has semicolons between its cells; save it with commas/],
    ['files that are not there', 'file,label\nz.jpg,x\n', /there is no file z\.jpg/],
    ['paths that lead out', 'file,label\n../z.jpg,x\n', /is not a relative path inside the folder/],
  ])('is refused with %s', async (_, text, message) => {
    write('t.csv', text);
    await expect(open('t.csv')).rejects.toThrow(message);
  });

  it.each(['latin1', 'utf16le'] as const)('is refused in %s, which would change names', async (encoding) => {
    write('t.csv', Buffer.from('\ufefffile,label\na.jpg,gr\u00f6\u00dfe\n', encoding));
    await expect(open('t.csv')).rejects.toThrow(/t\.csv is not a CSV: its text is not UTF-8/);
  });

  it('has a column "set" that is not a split, which is then not used', async () => {
    write('t.csv', 'file,set\na.jpg,A\nb.jpg,B\n');
    const { definition, understood } = await inferDefinition(join(folder, 't.csv'));
    expect(definition.source).toMatchObject({ columns: { path: 'file' } });
    expect(definition.source).not.toMatchObject({ columns: { split: expect.anything() } });
    expect(understood[0]).toMatch(/; set is not used\.$/);
  });

  it.each(['split', 'Side', 'partition'])('may call its split "%s"', async (column) => {
    write('t.csv', `file,${column}\na.jpg,train\nb.jpg,val\n`);
    const { definition, understood } = await inferDefinition(join(folder, 't.csv'));
    expect(definition.source).toMatchObject({ columns: { path: 'file', split: column } });
    expect(understood[0]).toMatch(new RegExp(`"${column}" the split`));
  });

  it('of patches that differ in size opens at the size that is asked for', async () => {
    write('a.jpg', await testImage('a', 32));
    write('b.jpg', await testImage('b', 48));
    write('wide.jpg', await testImage('wide', 48, 'jpeg', 32));
    write('t.csv', 'file\na.jpg\nb.jpg\nwide.jpg\n');
    const { dataset, understood } = await open('t.csv', { size: 24 });
    expect([dataset.size, dataset.count]).toEqual([24, 2]);
    expect(understood.join('\n')).toMatch(
      /Failed: 1 patch, first wide: wide\.jpg is 48 x 32 px; patches are square: .* with --tile/,
    );
    write('only.csv', 'file\nwide.jpg\n');
    await expect(open('only.csv')).rejects.toThrow(/none of the 1 patches can be read: wide\.jpg is 48 x 32 px/);
  });
});

describe('a folder of class folders', () => {
  it('opens with its folders as classes; hidden folders and other files are none', async () => {
    await images('set/tumor/a.jpg', 'set/tumor/b.jpg', 'set/normal/a.jpg', 'set/.ipynb_checkpoints/a.jpg');
    write('set/notes.txt', 'mine');
    const { dataset, understood } = await open('set');
    expect(dataset.classNames).toEqual(['normal', 'tumor']);
    expect(dataset.count).toBe(3);
    expect(understood.slice(0, 3)).toEqual([
      'set has a folder for each class: normal, tumor.',
      '3 patches of 32 x 32 px.',
      '2 classes: normal (1), tumor (2).',
    ]);
    expect(understood.join('\n')).toMatch(/No patient is known/);
  });

  it('does not meet another of the same name', async () => {
    await images('one/set/x/a.jpg', 'other/set/x/b.jpg');
    const [one, other] = [await open('one/set'), await open('other/set')];
    expect(one.definition!.name).toMatch(/^set-[0-9a-f]{8}$/);
    expect(one.definition!.name).not.toBe(other.definition!.name);
    expect(rowsOf(one.dataset.slides)).toEqual(['x-a']);
    expect(rowsOf(other.dataset.slides)).toEqual(['x-b']);
    // By whatever path it is reached, it is one.
    symlinkSync(join(folder, 'one'), join(folder, 'linked'));
    expect((await open('linked/set')).compiled).toBe(0);
  });

  it.each<[string, string[], RegExp]>([
    ['images alone', ['a.jpg', 'b.jpg', 'list.txt'], /has no subfolders for classes \(it has 2 images\)/],
    ['nothing', [], /has no subfolders for classes.*\(it has 0 images\).*name a table/],
    [
      'a class without images',
      ['x/a.jpg', 'y/readme.txt'],
      /\/y has no image .*: it has readme\.txt\. Remove the folder/,
    ],
    ['a split', ['train/x/a.jpg', 'test/x/b.jpg'], /is split into test, train, which are not classes\. Name a table/],
    [
      'images beside masks of others',
      ['images/a.jpg', 'masks/b.png'],
      /images\/a\.jpg has no mask; masks\/b\.png has no image\. Name a table/,
    ],
    [
      'masks beside classes',
      ['x/a.jpg', 'y/a.jpg', 'masks/a.png'],
      /has a folder masks, which is not a class\. Name a table/,
    ],
    ['a table beside images', ['patients.csv', 'a.jpg'], /it has 1 images and patients\.csv/],
  ])('is refused with %s', async (_, names, message) => {
    mkdirSync(join(folder, 'set'));
    for (const name of names) write(`set/${name}`, await testImage(name, 8));
    await expect(open('set')).rejects.toThrow(message);
  });
});

describe('a definition, a name, or shards', () => {
  it('open, too: slides of a definition at its geometry, and what that made by itself', async () => {
    const { definition, slides } = await smallDataset(2);
    const home = dirname(slides[0]!.path);
    const lines = slides.map(({ id, patient, class: name }) => `${id},${id}.tif,${patient},${name}`);
    writeFileSync(join(home, 'slides.csv'), `id,path,patient,class\n${lines.join('\n')}\n`);
    const columns = { path: 'path', id: 'id', patient: 'patient', class: 'class' };
    const source = { kind: 'slides', table: 'slides.csv', folder: '.', columns };
    const path = join(home, 'mine.json');
    writeFileSync(path, JSON.stringify({ ...definition, name: 'mine', source }));
    const options = { data: join(folder, 'data') };
    const { dataset, definition: read, understood } = await openData(path, options);
    expect(read).toEqual(readDefinition(path));
    expect([dataset.size, dataset.count, dataset.classNames]).toEqual([64, 16, ['acinar', 'diffuse']]);
    expect(understood.slice(0, 3)).toEqual([
      'mine: Small synthetic dataset.',
      '16 patches of 64 x 64 px.',
      'All are SYNTHETIC: drawn by a program, not from patients.',
    ]);
    await expect(openData(path, { ...options, size: 32 })).rejects.toThrow(
      /has slides: size, tile and lossless are for precut/,
    );

    const shards = await openData(dataset.folder);
    expect(shards.definition).toBeUndefined();
    expect(shards.understood[0]).toBe('Shards of mine: Small synthetic dataset.');
    expect(shards.dataset.classNames).toEqual(dataset.classNames);
    expect((await openData(dataset.folder, { size: 64 })).dataset.count).toBe(16);
    await expect(openData(dataset.folder, { size: 32 })).rejects.toThrow(/is compiled at 64 px; for 32 px/);
  });

  it.skipIf(existsSync(join(projectRoot, 'data', 'pcam200')))('say how to get files that are not here', async () => {
    await expect(openData('pcam200')).rejects.toThrow(
      /the files of pcam200 are not here: there is no .*lock\.json\. "npx --no-install pathlab fetch pcam200" downloads them/,
    );
    expect(existsSync(join(projectRoot, 'data', 'pcam200'))).toBe(false);
    const shards = shardFolder(readDefinition('pcam200'), {}, folder);
    write(join(relative(folder, shards), 'index.arrow'), 'of an earlier day');
    await expect(openData('pcam200', { data: folder })).rejects.toThrow(
      `the compiled dataset opens without them: ${shards}`,
    );
  });

  it('say what there is when there is nothing, or nothing that is known', async () => {
    for (const none of ['', ' ']) await expect(openData(none)).rejects.toThrow(/data is empty; name a definition/);
    await expect(openData('no-such-data')).rejects.toThrow(
      /there is no no-such-data: neither a definition in data-man/,
    );
    await expect(openData(join(folder, 'gone.csv'))).rejects.toThrow(/neither .* nor a file or folder .*gone\.csv$/);
    write('mine.xlsx', 'PK');
    await expect(open('mine.xlsx')).rejects.toThrow(/mine\.xlsx is neither a folder nor a definition .* nor a table/);
  });

  it('stop when they are asked to', async () => {
    await images('set/x/a.jpg');
    await expect(open('set', { signal: AbortSignal.abort() })).rejects.toMatchObject({ name: 'InterruptedError' });
  });
});

describe('pathlab compile', () => {
  it('takes a folder or a table, tells what it understood, and makes what openData opens', async () => {
    const said: string[] = [];
    const errors: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
    vi.spyOn(console, 'error').mockImplementation((line) => void errors.push(String(line)));
    await images('set/x/a.jpg', 'set/y/b.jpg');
    const words = [join(folder, 'set'), '--data', join(folder, 'data'), '--source', join(folder, 'source')];
    expect(await compile(words)).toBe(0);
    const { dataset, compiled, understood } = await open('set');
    expect([compiled, said.at(-1)]).toEqual([0, dataset.folder]);
    expect(errors).toEqual(expect.arrayContaining(understood));
    await expect(compile([dataset.folder])).rejects.toThrow(/is a compiled dataset already: it has an index\.arrow/);
  });
});

const shared = join(projectRoot, '..', 'shared', 'data', 'patches');

describe.skipIf(!existsSync(shared))('real patches (shared data)', () => {
  const openShared = (name: string, options = {}) =>
    openData(join(shared, name), { data: join(folder, 'data'), ...options });

  it('breast-idc: patients in a table beside its class folders', async () => {
    const { dataset, understood } = await openShared('breast-idc');
    expect([dataset.count, dataset.size, dataset.classNames]).toEqual([5026, 50, ['0', '1']]);
    expect(dataset.patients.codes.every((code) => code >= 0)).toBe(true);
    expect(understood.join('\n')).toMatch(/"patient" the patient; x, y are not used[\s\S]*145 patients, such as 10256/);
  }, 240_000);

  it('colon-glands: images of several shapes, cut into tiles with their masks, patients kept', async () => {
    // Every sixth image, of several patients: all of them take minutes.
    const [head, ...rows] = readFileSync(join(shared, 'colon-glands', 'index.csv'), 'utf8')
      .trim()
      .split('\n');
    const some = rows.filter((_, row) => row % 6 === 0);
    for (const path of some.flatMap((row) => row.split(',').slice(0, 2))) {
      write(`glands/${path}`, readFileSync(join(shared, 'colon-glands', path)));
    }
    const table = write('glands/index.csv', [head, ...some].join('\n'));
    const { dataset, understood } = await openData(table, { data: join(folder, 'data'), tile: 256 });
    expect(dataset.size).toBe(256);
    expect(dataset.count).toBeGreaterThan(15 * 6);
    expect(dataset.slides.names).toHaveLength(15);
    expect(new Set(dataset.patients.names).size).toBeGreaterThan(5);
    expect(dataset.classNames).toEqual(['0', '1']);
    expect(dataset.mask.length.every((bytes) => bytes > 0)).toBe(true);
    expect(understood.join('\n')).toMatch(
      /"image" the path, "mask" the mask, "patient" the patient; grade is not used/,
    );
  }, 240_000);

  it('nuclei-consep: masks of five values, tiles for patients', async () => {
    const { dataset, understood } = await openShared('nuclei-consep/index.csv');
    expect(dataset.classNames).toEqual(['0', '1', '2', '3', '4']);
    expect(dataset.mask.length.every((bytes) => bytes > 0)).toBe(true);
    expect(understood.join('\n')).toMatch(/27 values of "tile" instead of patients/);
  }, 240_000);

  it('colon-glands: images that are not square are refused, and it is said why', async () => {
    await expect(openShared('colon-glands')).rejects.toThrow(/is 775 x 522 px; patches are square: .* with --tile PX/);
  });
});
