import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { projectRoot } from '../../src/base/index.js';
import { type DatasetDefinition, definitionSha256, readDefinition } from '../../src/datasets/index.js';

const manifests = join(projectRoot, 'data-manifests');
const datasets = readdirSync(manifests)
  .filter((name) => 'format' in JSON.parse(readFileSync(join(manifests, name), 'utf8')))
  .map((name) => name.replace('.json', ''));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-definition-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

// biome-ignore lint/suspicious/noExplicitAny: the tests break definitions in ways that their type forbids
type Loose = any;

function changed(name: string, change: (definition: Loose) => void): string {
  const definition = JSON.parse(readFileSync(join(manifests, `${name}.json`), 'utf8'));
  definition.name = 'changed';
  change(definition);
  const path = join(folder, 'changed.json');
  writeFileSync(path, JSON.stringify(definition));
  return path;
}

describe('the definitions of data-manifests/', () => {
  it('are the three of the paper, and PANDA with both providers', () => {
    expect(datasets).toEqual(
      expect.arrayContaining(['pcam200', 'ptcga200', 'segpanda200', 'segpanda200-both-providers']),
    );
  });

  it.each(datasets)('%s is whole and says that it is not yet resolved', (name) => {
    const definition = readDefinition(name);
    expect(definition.resolvedSha256).toBeNull();
    expect(definition.expected).toBeNull();
  });

  it.each(['ptcga200', 'pcam200', 'segpanda200'])("%s has the paper's geometry and split", (name) => {
    const { geometry, split } = readDefinition(name);
    expect(geometry).toMatchObject({ micrometers: 200, pixels: 512, maxPatchesPerSlide: 500 });
    expect(split).toEqual({ by: 'slide', validation: 0.02, test: 0.01, folds: 3, stratified: false });
  });

  it('ptcga200 makes the 20 classes of 24 primary sites', () => {
    const { labels } = readDefinition('ptcga200') as DatasetDefinition & { labels: { from: 'slide' } };
    expect(labels.classes.length).toBe(20);
    expect(Object.keys(labels.values).length).toBe(24);
    const label = (site: string) => labels.classes.find(({ name }) => name === labels.values[site])!.label;
    expect(label('Liver and intrahepatic bile ducts')).toBe(1);
    expect(['Colon', 'Rectosigmoid junction', 'Rectum', 'Small intestine'].map(label)).toEqual([6, 6, 6, 6]);
    expect(label('Thyroid gland')).toBe(19);
  });
});

describe('readDefinition', () => {
  it('reads the names that three fields had earlier', () => {
    const earlier = changed('ptcga200', ({ labels, geometry }) => {
      labels.others = 'refuse';
      delete labels.unmapped;
      geometry.mostPatchesPerSlide = 7;
      delete geometry.maxPatchesPerSlide;
    });
    expect(readDefinition(earlier)).toMatchObject({
      labels: { unmapped: 'error' },
      geometry: { maxPatchesPerSlide: 7 },
    });
    const table = (split: string) =>
      changed('ptcga200', (definition) => {
        definition.source = { kind: 'slides', table: 't.csv', folder: '.', columns: { path: 'file', [split]: 'set' } };
      });
    expect(readDefinition(table('side'))).toEqual(readDefinition(table('split')));
  });

  it.each<[string, string, (definition: Loose) => void, RegExp]>([
    ['a field is unknown', 'pcam200', (d) => Object.assign(d, { extra: 1 }), /extra is not a field of a dataset's def/],
    ['a field is missing', 'pcam200', (d) => delete d.licence.name, /licence\.name must be a text; it is missing/],
    ['a field is unknown in a source', 'pcam200', (d) => Object.assign(d.source, { user: 'x' }), /source\.user is no/],
    [
      'a source is unknown',
      'pcam200',
      (d) => Object.assign(d.source, { kind: 'ftp' }),
      /source\.kind must be "gdc" or "bucket" or/,
    ],
    [
      'an address is plain http',
      'ptcga200',
      (d) => Object.assign(d.source, { endpoint: 'http://x.org' }),
      /endpoint must/,
    ],
    [
      'a pattern leaves',
      'pcam200',
      (d) => Object.assign(d.source, { images: '../{id}.tif' }),
      /source\.images must be a/,
    ],
    [
      'a class is not in the list',
      'ptcga200',
      (d) => Object.assign(d.labels.values, { Larynx: 'larynx' }),
      /labels\.values\["Larynx"\] names the class "larynx", which is not in labels\.classes \(adrenal_gland, /,
    ],
    [
      "a mask's class is not in the list",
      'segpanda200',
      (d) => Object.assign(d.labels.values.radboud, { 6: 'ink' }),
      /labels\.values\["radboud"\]\["6"\] names the class "ink"/,
    ],
    [
      "a mask's value is mapped to nothing",
      'segpanda200',
      (d) => Object.assign(d.labels.values.radboud, { 6: '' }),
      /labels\.values\.radboud\.6 must be a class's name, or null for pixels that do not count/,
    ],
    ['a class occurs twice', 'pcam200', (d) => d.labels.classes.push(d.labels.classes[0]), /the name "normal" more/],
    [
      'labels have a gap',
      'pcam200',
      (d) => Object.assign(d.labels.classes[1], { label: 2 }),
      /no class with the label 1/,
    ],
    ['an id occurs twice', 'pcam200', (d) => d.exclusions.push(d.exclusions[0]), /the id "normal_086" more than once/],
    [
      'a class name leaves',
      'pcam200',
      (d) => Object.assign(d.labels.classes[0], { name: '../x' }),
      /labels\.classes\[0\]\.name must be a name of letters/,
    ],
    [
      'shares leave nothing',
      'pcam200',
      (d) => Object.assign(d.split, { validation: 0.5, test: 0.5 }),
      /leave no training data/,
    ],
    [
      'folds hold out more than there is',
      'pcam200',
      (d) => Object.assign(d.split, { validation: 0.2, test: 0.2 }),
      /split: 3 folds cannot each hold out a different 0\.2 \+ 0\.2 of the slides/,
    ],
    [
      'a mask value is none',
      'segpanda200',
      (d) => Object.assign(d.labels.values.radboud, { '05': 'stroma', 256: 'stroma' }),
      /labels\.values\["radboud"\]\["256"\] .* 0 to 255; .*\["05"\]/,
    ],
    ['slides have no geometry', 'pcam200', (d) => Object.assign(d, { geometry: null }), /geometry is null, but/],
    [
      'geometry is wrong',
      'pcam200',
      (d) => Object.assign(d.geometry, { pixels: 1.5 }),
      /geometry\.pixels must be a positive integer/,
    ],
    [
      'a mask would have more classes than a byte has values',
      'segpanda200',
      (d) => {
        for (let label = 6; label < 257; label++) d.labels.classes.push({ name: `class-${label}`, label });
      },
      /labels\.classes: masks have at most 256 classes/,
    ],
    [
      'a class would have the number of ignored pixels',
      'segpanda200',
      (d) => {
        for (let label = 6; label < 256; label++) d.labels.classes.push({ name: `class-${label}`, label });
        d.labels.values.radboud[255] = null;
      },
      /labels\.classes: masks have at most 255 classes beside pixels that do not count/,
    ],
    [
      'patches are larger than any are read',
      'pcam200',
      (d) => Object.assign(d.geometry, { pixels: 100_000 }),
      /geometry: a patch's side must be 1 to 8192 whole pixels; got 100000/,
    ],
    [
      "a source's word occurs twice, in another case",
      'ptcga200',
      (d) => Object.assign(d.labels.values, { breast: 'brain' }),
      /labels\.values has the label "breast" more than once/,
    ],
    [
      'the unit is not of its source',
      'pcam200',
      (d) => Object.assign(d, { unit: 'patches', geometry: null }),
      /has no patches/,
    ],
    [
      'the name is another',
      'pcam200',
      (d) => Object.assign(d, { name: 'other' }),
      /name is "other", the file's is "ch/,
    ],
  ])('names what is wrong when %s', (_, name, change, message) => {
    expect(() => readDefinition(changed(name, change))).toThrow(message);
  });

  it('reads a file that begins with a byte order mark', () => {
    const path = changed('pcam200', () => {});
    writeFileSync(path, `\uFEFF${readFileSync(path, 'utf8')}`);
    expect(readDefinition(path).name).toBe('changed');
  });

  it('refuses a number that is too large to be one', () => {
    const path = changed('pcam200', () => {});
    writeFileSync(path, readFileSync(path, 'utf8').replace('"micrometers":200', '"micrometers":1e999'));
    expect(() => readDefinition(path)).toThrow(/geometry\.micrometers must be a number above 0/);
  });

  it('says which file it cannot read, and which definitions there are', () => {
    expect(() => readDefinition('none.json')).toThrow(/none\.json cannot be read: ENOENT/);
    expect(() => readDefinition('none')).toThrow(
      /no definition "none": data-manifests\/ holds pcam200, ptcga200, segpanda200, segpanda200-both-providers; /,
    );
    expect(() => readDefinition('../package')).toThrow(/neither a definition's name/);
  });

  it('hashes what is asked, not what was found', () => {
    const pcam = readDefinition('pcam200');
    const hash = definitionSha256(pcam);
    expect(definitionSha256({ ...pcam, resolvedSha256: 'a'.repeat(64) })).toBe(hash);
    expect(definitionSha256({ ...pcam, minimumBytes: 1 })).not.toBe(hash);
  });
});
