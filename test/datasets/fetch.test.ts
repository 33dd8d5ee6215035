import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startBucket, startGdc, startServer } from '../../bench/data-servers.mjs';
import { key, projectRoot, sha256 } from '../../src/base/index.js';
import { compile } from '../../src/cli/compile.js';
import { fetch } from '../../src/cli/fetch.js';
import {
  type DatasetDefinition,
  type FetchOptions,
  fetchDataset,
  listFacts,
  readDefinition,
  readLockFile,
  resolveDataset,
  slidesOnDisk,
} from '../../src/datasets/index.js';
import { canMount, smallDisk } from '../base/tmpfs.js';
import { facts, gdcHits, rowsOf } from './facts.js';

let folder: string;
let out: string;
let servers: { close(): Promise<void> }[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-fetch-'));
  out = join(folder, 'out');
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true, force: true });
  vi.restoreAllMocks();
});

const quick: FetchOptions = { backoffSeconds: 0.01, slowSeconds: 0.5, syncEveryBytes: 4096 };

async function started<T extends { close(): Promise<void> }>(server: Promise<T>): Promise<T> {
  servers.push(await server);
  return server;
}

function bytes(count: number, name: string | number = 0): Buffer {
  const generator = key(name).generator();
  return Buffer.from(Uint8Array.from({ length: count }, () => generator.integer(256)));
}

/** A definition of the project with some fields changed, in a file of its own. */
function definitionLike(name: string, change: (definition: never) => void): string {
  const definition = JSON.parse(JSON.stringify(readDefinition(name))) as DatasetDefinition;
  definition.name = 'small';
  change(definition as never);
  const path = join(folder, 'small.json');
  writeFileSync(path, JSON.stringify(definition));
  return path;
}

const small = (d: { minimumBytes: number }) => Object.assign(d, { minimumBytes: 100 });

function hit(number: number, patient: string, primary_site: string | undefined, content: Buffer) {
  const file_id = `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`;
  const cases = [{ submitter_id: patient, primary_site, project: { project_id: 'TCGA-X' } }];
  return { file_id, file_name: `${patient}-01Z-00-DX1.ABC${number}.svs`, cases, content };
}

describe('the GDC', () => {
  const hits = () => [
    hit(3, 'TCGA-AA-0001', 'Colon', bytes(5000, 1)),
    hit(1, 'TCGA-BB-0002', 'breast', bytes(6000, 2)),
    hit(2, 'TCGA-BB-0003', 'Larynx', bytes(7000, 3)),
    hit(4, 'TCGA-CC-0004', 'Kidney', bytes(50, 4)),
    hit(5, 'TCGA-AA-0001', 'Colon', bytes(5000, 1)),
  ];

  it('is resolved, downloaded, and given as slides', async () => {
    const server = await started(startGdc(hits()));
    const path = definitionLike('ptcga200', small);
    const { ready, lock, report, resolution } = await fetchDataset(path, { ...quick, out, endpoint: server.url });
    expect(ready.map(({ id, patient, site, class: name }) => [id, patient, site, name])).toEqual([
      ['TCGA-AA-0001-01Z-00-DX1_ABC3', 'TCGA-AA-0001', 'AA', 'colon_rectum_small_intestine'],
      ['TCGA-BB-0002-01Z-00-DX1_ABC1', 'TCGA-BB-0002', 'BB', 'breast'],
    ]);
    expect(readFileSync(ready[1]!.path).equals(bytes(6000, 2))).toBe(true);
    expect(lock.excluded.map(({ reason }) => reason)).toEqual([
      'the same bytes as TCGA-AA-0001-01Z-00-DX1_ABC3',
      'its class, "Larynx", is not in the definition\'s map',
      'its 50 bytes are fewer than 100: a thumbnail, not a slide',
    ]);
    expect(resolution).toMatch(/^not yet resolved against the real source/);
    expect(report).toMatchObject({ slides: 2, ready: 2, patients: 2, sites: 2, bytes: 11000 });
    expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
    const posted = server.requests.find(({ method }) => method === 'POST')!;
    expect(JSON.parse(posted.body).filters).toEqual(
      (readDefinition('ptcga200').source as unknown as { filters: object }).filters,
    );
  });

  it('is not asked again while there is a lock file, which is the same wherever the list came from', async () => {
    const server = await started(startGdc(hits()));
    const path = definitionLike('ptcga200', small);
    const first = await fetchDataset(path, { ...quick, out, endpoint: server.url });
    const asked = server.requests.length;
    await fetchDataset(path, { ...quick, out, endpoint: server.url });
    expect(server.requests.length).toBe(asked);
    const mirror = await started(startGdc([...hits()].reverse()));
    const other = await resolveDataset(path, { ...quick, out: join(folder, 'other'), endpoint: mirror.url });
    expect(other.lock.listSha256).toBe(first.lock.listSha256);
    expect(readLockFile(join(out, 'lock.json'))).toEqual(first.lock);
  });

  it('is refused when it gives another list than the definition was resolved to', async () => {
    const server = await started(startGdc(hits()));
    const path = definitionLike('ptcga200', (d) => Object.assign(small(d), { resolvedSha256: 'a'.repeat(64) }));
    await expect(fetchDataset(path, { ...quick, out, endpoint: server.url })).rejects.toThrow(
      /the source's list has changed since the definition was resolved \(2 slides, hash [0-9a-f]{64}, not aaa/,
    );
    expect(existsSync(out)).toBe(false);
  });

  it('is asked again after a fault of its list, and one file that fails does not stop the rest', async () => {
    const server = await started(
      startGdc(hits(), {
        fault: (path, times) =>
          (path === '/files' && times === 1) || path.endsWith('01')
            ? { status: path === '/files' ? 502 : 404 }
            : undefined,
      }),
    );
    const path = definitionLike('ptcga200', small);
    const { ready, report } = await fetchDataset(path, { ...quick, out, endpoint: server.url });
    expect(ready.map(({ patient }) => patient)).toEqual(['TCGA-AA-0001']);
    expect(report.failed).toEqual([
      {
        path: 'slides/TCGA-BB-0002-01Z-00-DX1.ABC1.svs',
        reason: expect.stringMatching(/does not have this file \(404\)/),
      },
    ]);
  });

  it.each<[string, object, RegExp]>([
    [
      'a path for a name',
      { file_name: '../../x.svs' },
      /id must be a name of letters|file\.path must be a relative path/,
    ],
    ['no MD5', { md5sum: 'none' }, /lists a file without id, name, MD5 or size/],
    [
      'two cases for one slide',
      { cases: [{ submitter_id: 'a' }, { submitter_id: 'b' }] },
      /small: none of the \d+ \w+ in its list can be used/,
    ],
  ])('is refused when it lists %s', async (_, change, message) => {
    const server = await started(startGdc([{ ...hits()[0]!, ...change }]));
    const path = definitionLike('ptcga200', small);
    await expect(resolveDataset(path, { ...quick, out, endpoint: server.url })).rejects.toThrow(message);
  });

  it('gets the token of the environment, and no file or message has it', async () => {
    const token = 'a-token-that-nobody-may-see';
    vi.stubEnv('GDC_TOKEN', `${token}\n`);
    const said = [vi.spyOn(console, 'log'), vi.spyOn(console, 'error')].map((spy) => spy.mockImplementation(() => {}));
    const fault = (path: string) => (path.endsWith('01') ? { status: 403 } : undefined);
    const server = await started(startGdc(hits(), { fault }));
    try {
      expect(await fetch([definitionLike('ptcga200', small), '--endpoint', server.url, '--out', out])).toBe(1);
      const asked = server.requests.filter(({ path }) => path.startsWith('/data'));
      expect(asked.map(({ headers }) => headers['x-auth-token'])).toEqual(asked.map(() => token));
      expect(JSON.stringify(said.map((spy) => spy.mock.calls))).not.toContain(token);
      const written = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
      expect(written.length).toBeGreaterThan(3);
      for (const { parentPath, name } of written) {
        expect(readFileSync(join(parentPath, name)).includes(token)).toBe(false);
      }
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it('is refused when its answer is none', async () => {
    const server = await started(startServer(async (_, response) => void response.end('<html>')));
    const path = definitionLike('ptcga200', small);
    await expect(resolveDataset(path, { ...quick, out, endpoint: server.url })).rejects.toThrow(/does not return JSON/);
  });

  it.skipIf(!facts)('gives its public list of 11,765 slides in twelve pages (shared data)', async () => {
    const server = await started(startGdc(gdcHits()));
    const dataset = await resolveDataset('ptcga200', { ...quick, out, endpoint: server.url });
    expect(server.requests.length).toBe(12);
    const { slides, excluded, bytes: size, patients, classes } = listFacts(dataset);
    expect(slides + excluded.reduce((sum, { slides: count }) => sum + count, 0)).toBe(11_765);
    expect(Object.keys(classes).length).toBe(20);
    expect(excluded.find(({ reason }) => reason.includes('a thumbnail'))!.slides).toBeGreaterThan(20);
    expect(patients).toBeGreaterThan(7000);
    expect(size).toBeGreaterThan(8e12);
    expect(dataset.lock.slides.every(({ site }) => /^\w\w$/.test(site!))).toBe(true);
    const drawn = await resolveDataset('ptcga200', { ...quick, out, endpoint: server.url, limit: 10 });
    expect(drawn.slides.length).toBe(10);
    expect(drawn.lock.listSha256).toBe(dataset.lock.listSha256);
  });
});

describe('the Camelyon bucket', () => {
  it('is listed in pages, with polygons beside slides, and its faults left out', async () => {
    const content = (name: string) => bytes(3000, name);
    const server = await started(
      startBucket(
        {
          'CAMELYON16/README.md': content('r'),
          'CAMELYON16/images/normal_001.tif': content('a'),
          'CAMELYON16/images/normal_086.tif': content('b'),
          'CAMELYON16/images/normal_120.tif': content('c'),
          'CAMELYON16/images/tumor_001.tif': content('d'),
          'CAMELYON16/images/tumor_002.tif': content('e'),
          'CAMELYON16/images/test_049.tif': content('f'),
          'CAMELYON16/images/test_001.tif': content('g'),
          'CAMELYON16/annotations/tumor_001.xml': content('x'),
          'CAMELYON17/images/other.tif': content('o'),
        },
        { pageSize: 3 },
      ),
    );
    const path = definitionLike('pcam200', small);
    const { ready, lock } = await fetchDataset(path, { ...quick, out, endpoint: server.url });
    expect(ready.map(({ id, site, annotation }) => [id, site, annotation !== null])).toEqual([
      ['normal_001', 'radboudumc', false],
      ['normal_120', 'umc-utrecht', false],
      ['test_001', null, false],
      ['tumor_001', 'radboudumc', true],
    ]);
    expect(readFileSync(ready[3]!.annotation!).equals(content('x'))).toBe(true);
    expect(lock.excluded).toEqual([
      { id: 'normal_086', reason: expect.stringMatching(/the same slide as tumor_111/) },
      { id: 'test_049', reason: 'a duplicate of another slide' },
      { id: 'tumor_002', reason: 'it must have polygons, but the source has none' },
    ]);
    expect(server.requests.filter(({ path: asked }) => asked.includes('list-type=2')).length).toBe(3);
  });

  it('has slides on disk by what arrived, whose SHA-256 they have, and not by size', async () => {
    const content = { normal_001: bytes(3000, 'a'), normal_120: bytes(3000, 'c') };
    const objects = Object.entries(content).map(([id, file]) => [`CAMELYON16/images/${id}.tif`, file] as const);
    const server = await started(startBucket(Object.fromEntries(objects)));
    const path = definitionLike('pcam200', small);
    const options = { ...quick, out, endpoint: server.url };
    const { ready } = await fetchDataset(path, options);
    expect(ready.map((slide) => slide.sha256)).toEqual(Object.values(content).map(sha256));
    const dataset = await resolveDataset(path, options);
    expect(slidesOnDisk(dataset)).toEqual({ ready, missing: [] });
    writeFileSync(ready[0]!.path, bytes(3000, 'damage'));
    rmSync(join(out, 'received/images/normal_120.tif.json'));
    expect(slidesOnDisk(dataset)).toEqual({ ready: [], missing: ['normal_001', 'normal_120'] });
    const asked = server.requests.length;
    expect((await fetchDataset(path, options)).ready).toEqual(ready);
    expect(server.requests.slice(asked).map((request) => request.path)).toEqual(['/CAMELYON16/images/normal_001.tif']);
    expect(slidesOnDisk(dataset)).toEqual({ ready, missing: [] });
  });

  it.skipIf(!facts)('gives its public list of slides (shared data)', async () => {
    const names = rowsOf('camelyon16-slides.csv', ',').map((row) => row.slide_name!);
    const object = (name: string) => ({ bytes: 2e9, etag: `"${name}-96"` });
    const objects = Object.fromEntries(names.map((name) => [`CAMELYON16/images/${name}`, object(name)]));
    for (const name of names.filter((name) => name.startsWith('tumor'))) {
      objects[`CAMELYON16/annotations/${name.replace('.tif', '.xml')}`] = { bytes: 1e5, etag: `"${name}"` };
    }
    const server = await started(startBucket(objects, { pageSize: 100 }));
    const dataset = await resolveDataset('pcam200', { ...quick, out, endpoint: server.url });
    // Of 399 names, test_114 is left out; normal_086 and test_049 are not in this list any more.
    expect(names.length).toBe(399);
    expect(dataset.lock.slides.length).toBe(398);
    expect(dataset.lock.excluded.map(({ id }) => id)).toEqual(['test_114']);
    expect(dataset.lock.slides.filter(({ annotation }) => annotation !== null).length).toBe(111);
    const { withoutSite } = listFacts(dataset);
    expect(withoutSite).toBe(128 + 1);
  });

  it.each([
    ['an answer that is none', '<html></html>', /does not return a bucket listing/],
    [
      'an end that is none',
      '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
      /continues, but gives no token/,
    ],
    ['no slides', '<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>', /lists 0 files, but none/],
  ])('is refused when it gives %s', async (_, text, message) => {
    const server = await started(startServer(async (_request, response) => void response.end(text)));
    await expect(resolveDataset('pcam200', { ...quick, out, endpoint: server.url })).rejects.toThrow(message);
  });
});

describe('a source that does not answer', () => {
  it.each(['ptcga200', 'pcam200'])('is named with what to do, and each wait is told (%s)', async (name) => {
    const server = await startServer(async () => {});
    await server.close();
    const told: string[] = [];
    const onListRetry = (address: string, wait: number, reason: string) =>
      told.push(`${address} ${wait > 0} ${reason}`);
    const resolved = resolveDataset(name, { ...quick, attempts: 3, out, endpoint: server.url, onListRetry });
    await expect(resolved).rejects.toThrow(
      /^http:\S+ could not be listed in 3 attempts: the server refuses connections\. Check whether .*--endpoint/,
    );
    expect(told.length).toBe(2);
    for (const words of told) {
      expect(words).toContain(server.url);
      expect(words).toMatch(/ true the server refuses connections$/);
    }
  });

  it('is told of by the command, which goes on when it answers', async () => {
    let asked = 0;
    const server = await started(
      startServer(async (_request, response) => {
        response.statusCode = ++asked === 1 ? 503 : 200;
        response.end('<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>');
      }),
    );
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    await expect(fetch(['pcam200', '--plan', '--out', out, '--endpoint', server.url])).rejects.toThrow(/lists 0 files/);
    expect(said.mock.calls.flat()[0]).toMatch(/^list: http:\S+: .*503.*; retrying in \d\.\d s$/);
    expect(asked).toBe(2);
  });
});

/** A definition of a user's own table. */
function tableDefinition(change: (definition: never) => void = () => {}): string {
  return definitionLike('ptcga200', (definition) => {
    Object.assign(definition, {
      unit: 'patches',
      geometry: null,
      minimumBytes: 0,
      source: {
        kind: 'csv',
        table: 'table.csv',
        folder: 'files',
        columns: { path: 'file', class: 'label', patient: 'patient' },
      },
      labels: {
        from: 'slide',
        classes: [
          { name: 'benign', label: 0 },
          { name: 'cancer', label: 1 },
        ],
        values: { 0: 'benign', 1: 'cancer' },
        unmapped: 'error',
      },
    });
    change(definition);
  });
}

function write(files: Record<string, string | Buffer>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

describe("a user's own data", () => {
  const files = { 'files/a/007.png': 'seven', 'files/b/008.png': 'eight' };
  const table = 'file,label,patient\na/007.png,0,007\nb/008.png,1,008\n';

  it('comes from a table, in which ids stay text', async () => {
    write({ ...files, 'table.csv': table });
    const { ready, lock } = await fetchDataset(tableDefinition(), { out });
    expect(ready.map(({ id, patient, class: name }) => [id, patient, name])).toEqual([
      ['a-007', '007', 'benign'],
      ['b-008', '008', 'cancer'],
    ]);
    expect(ready[0]!.path).toBe(join(folder, 'files/a/007.png'));
    expect(lock.slides[0]!.file).toMatchObject({ remote: null, bytes: 5 });
    expect(readdirSync(out).sort()).toEqual(['lock.json', 'report.json']);
  });

  it.each([
    [false, "the user's own"],
    [true, 'of synthetic slides'],
  ])("is nobody else's to check, in words and in the report (synthetic: %s)", async (synthetic, whose) => {
    write({ ...files, 'table.csv': table });
    const path = tableDefinition((definition) => Object.assign(definition, { synthetic }));
    const { lock, report } = await fetchDataset(path, { out });
    expect([report.resolution, report.resolved]).toEqual([
      `the list is ${whose}; its hash is ${lock.listSha256}`,
      true,
    ]);
  });

  it('is listed also where it is too little for its split', async () => {
    write({ ...files, 'files/9.png': 'nine', 'table.csv': `${table}9.png,1,009\n` });
    const split = { by: 'slide', validation: 0.5, test: 0.4, folds: 1, stratified: false };
    const dataset = await resolveDataset(
      tableDefinition((definition) => Object.assign(definition, { split })),
      { out },
    );
    expect(listFacts(dataset)).toMatchObject({ slides: 3, split: null });
  });

  it.each<[string, string, RegExp]>([
    [
      'a path that leaves',
      '../secret.png,1,9',
      /^table\.csv, row 3: "\.\.\/secret\.png" is not a relative path inside/,
    ],
    ['an absolute path', '/etc/passwd,1,9', /row 3: "\/etc\/passwd" is not a relative path inside/],
    ['a file that is not there', 'a/9.png,1,9', /row 3: there is no file a\/9\.png/],
    ['an empty path', ',1,9', /row 3: the column "file" is empty/],
  ])('leaves out a row with %s and says so, and the rest is there', async (_, row, message) => {
    write({ ...files, 'table.csv': `${table}${row}\n` });
    const { ready, lock } = await fetchDataset(tableDefinition(), { out });
    expect(ready.map(({ id }) => id)).toEqual(['a-007', 'b-008']);
    expect(lock.excluded).toEqual([{ id: expect.any(String), reason: expect.stringMatching(message), fault: true }]);
    const said = vi.spyOn(console, 'error').mockImplementation(() => {});
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(await fetch([tableDefinition(), '--out', out])).toBe(1);
    expect(said.mock.calls.flat().join('\n')).toMatch(/^excluded: .*: table\.csv, row 3: /);
    expect(readLockFile(join(out, 'lock.json'))).toEqual(lock);
  });

  it('leaves out all rows of a file that occurs twice: nobody knows which is meant', async () => {
    write({ ...files, 'files/c.png': 'c', 'table.csv': `${table}a/007.png,1,9\nc.png,1,9\n` });
    const { ready, lock } = await fetchDataset(tableDefinition(), { out });
    expect(ready.map(({ id }) => id)).toEqual(['b-008', 'c']);
    const reason = 'its file a/007.png is in the list more than once; keep one entry';
    expect(lock.excluded).toEqual([1, 2].map(() => ({ id: 'a-007', reason, fault: true })));
  });

  it('leaves out all rows of an id that two files have: nobody knows which is meant', async () => {
    write({ ...files, 'files/a-007.png': 'c', 'files/c.png': 'd', 'table.csv': `${table}a-007.png,1,9\nc.png,1,9\n` });
    const { ready, lock } = await fetchDataset(tableDefinition(), { out });
    expect(ready.map(({ id }) => id)).toEqual(['b-008', 'c']);
    const reason = expect.stringMatching(/^its id occurs 2 times, here for a.007\.png: .*source\.columns\.id/);
    expect(lock.excluded).toEqual([1, 2].map(() => ({ id: 'a-007', reason, fault: true })));
  });

  it('leaves out all rows of a file that is there under two ids', async () => {
    write({
      ...files,
      'files/c.png': 'c',
      'table.csv': 'id,file,label\none,a/007.png,0\ntwo,a/007.png,1\nc,c.png,1\n',
    });
    const columns = { id: 'id', path: 'file', class: 'label' };
    const { ready, lock } = await fetchDataset(
      tableDefinition((definition: DatasetDefinition) => Object.assign(definition.source, { columns })),
      { out },
    );
    expect(ready.map(({ id }) => id)).toEqual(['c']);
    const reason = 'its file a/007.png is in the list more than once; keep one entry';
    expect(lock.excluded).toEqual(['one', 'two'].map((id) => ({ id, reason, fault: true })));
  });

  it('gives names in other alphabets ids of their own', async () => {
    write({ 'files/日本.png': 'a', 'files/中国.png': 'b', 'files/Präparat 1.png': 'c' });
    write({ 'table.csv': 'file,label,patient\n日本.png,0,1\n中国.png,0,2\nPräparat 1.png,1,3\n' });
    const { ready, lock } = await fetchDataset(tableDefinition(), { out });
    expect(lock.excluded).toEqual([]);
    const ids = Object.fromEntries(ready.map(({ id, patient }) => [patient, id]));
    expect(ids).toEqual({
      1: expect.stringMatching(/^[0-9a-f]{8}$/),
      2: expect.stringMatching(/^[0-9a-f]{8}$/),
      3: expect.stringMatching(/^Pr-parat-1-[0-9a-f]{8}$/),
    });
    expect(ids[1]).not.toBe(ids[2]);
  });

  it.each([
    ['a link', 'link.png', ''],
    ['a file behind a linked folder', 'linked/secret.png', ''],
    ['a mask that is a link', 'a/007.png', 'link.png'],
    ['a mask behind a linked folder', 'a/007.png', 'linked/secret.png'],
  ])('leaves out %s, and takes the rest, also where its folder is reached through a link', async (_, path, mask) => {
    write({ 'real/a/007.png': 'seven', 'real/b/008.png': 'eight', 'elsewhere/secret.png': 'secret' });
    symlinkSync(join(folder, 'real'), join(folder, 'files'));
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'real/linked'));
    symlinkSync(join(folder, 'elsewhere/secret.png'), join(folder, 'real/link.png'));
    for (const beside of ['mask', 'annotation']) {
      write({ 'table.csv': `file,label,${beside}\n${path},0,${mask}\nb/008.png,1,\n` });
      const columns = { path: 'file', class: 'label', [beside]: beside };
      const { ready, lock } = await fetchDataset(
        tableDefinition((definition: DatasetDefinition) => Object.assign(definition.source, { columns })),
        { out },
      );
      expect(ready.map(({ id }) => id)).toEqual(['b-008']);
      const reason = expect.stringContaining(`${mask || path} is a symbolic link or leads through one`);
      expect(lock.excluded).toEqual([{ id: path, reason, fault: true }]);
    }
  });

  it.each<[string, string, RegExp]>([
    ['a class that is not in the map', `${table}a/007.png,2,9\n`, /classes that are not in labels\.values: "2" \(1\)/],
    ['no rows', 'file,label,patient\n', /table\.csv has no rows/],
    ['nothing in it', '', /table\.csv has no rows/],
    ['a row with a comma too many', `${table}a, b.png,0,9\n`, /table\.csv is not a CSV: line \d: it has 4 cells/],
    ['a column that occurs twice', 'file,label,label\na/007.png,0,1\n', /two columns are named "label"/],
    [
      'no row that is right',
      'file,label,patient\n../x.png,1,9\n',
      /none of the \d+ \w+ in its list can be used[\s\S]*row 1: "\.\.\/x/,
    ],
    [
      'a column that is missing',
      'file,patient\na/007.png,1\n',
      /has no column "label", which source\.columns\.class names/,
    ],
  ])('is refused with %s', async (_, text, message) => {
    write({ ...files, 'table.csv': text });
    await expect(fetchDataset(tableDefinition(), { out })).rejects.toThrow(message);
  });

  it('comes as slides with masks, polygons and sizes of pixels', async () => {
    write({ ...files, 'table.csv': 'path,mask,mpp\na/007.png,b/008.png,0.25\n', 'files/empty.svs': '' });
    const change = (columns: object) => (d: { source: object }) =>
      Object.assign(d, {
        unit: 'slides',
        geometry: readDefinition('ptcga200').geometry,
        labels: { from: 'none' },
        source: { kind: 'slides', table: 'table.csv', folder: 'files', columns },
      });
    const columns = { path: 'path', mask: 'mask', mpp: 'mpp' };
    const { ready } = await fetchDataset(tableDefinition(change(columns)), { out });
    expect(ready[0]).toMatchObject({ mask: join(folder, 'files/b/008.png'), mpp: 0.25, class: null, annotation: null });
    // Nanometers, and what no microscope has, would fail each slide only when it is opened.
    for (const wrong of ['fine', '250', '0', '0.001']) {
      write({ 'table.csv': `path,mask,mpp\na/007.png,,${wrong}\n` });
      await expect(fetchDataset(tableDefinition(change(columns)), { out })).rejects.toThrow(
        `row 1: "${wrong}" is not a pixel size, 0.02 to 50 um`,
      );
    }
    write({ 'table.csv': 'path,mask,mpp\nempty.svs,,\n' });
    await expect(fetchDataset(tableDefinition(change(columns)), { out })).rejects.toThrow(/empty\.svs is empty/);
  });

  it('comes from class folders, with the patient in the name', async () => {
    write({ 'files/0/p1_x.png': 'a', 'files/1/p2_y.png': 'b', 'files/1/notes.txt': 'c', 'files/1/._p2_y.png': 'd' });
    const path = tableDefinition((d: { source: object }) =>
      Object.assign(d, { source: { kind: 'folder', folder: 'files', patientPattern: '^(\\w+?)_' } }),
    );
    const { ready, lock } = await fetchDataset(path, { out });
    expect(ready.map(({ id, patient, class: name }) => [id, patient, name])).toEqual([
      ['0-p1_x', 'p1', 'benign'],
      ['1-p2_y', 'p2', 'cancer'],
    ]);
    expect(lock.excluded).toEqual(
      ['1/._p2_y.png', '1/notes.txt'].map((id) => ({ id, reason: "not an image's extension" })),
    );
    write({ 'files/1/noname.png': 'd' });
    const again = await fetchDataset(path, { out });
    expect(again.ready.length).toBe(2);
    expect(again.lock.excluded.find(({ fault }) => fault)).toMatchObject({
      id: '1/noname.png',
      reason: expect.stringMatching(/no patient in its name/),
    });
  });

  const idc = join(projectRoot, '../shared/data/patches/breast-idc');
  it.skipIf(!existsSync(idc))('comes from the real breast patches (shared data)', async () => {
    symlinkSync(idc, join(folder, 'files'));
    const source = { kind: 'csv', table: 'files/index.csv', folder: 'files' };
    const columns = { path: 'file', class: 'label', patient: 'patient' };
    const path = tableDefinition((d: { source: object }) => Object.assign(d, { source: { ...source, columns } }));
    const { ready, report } = await fetchDataset(path, { out });
    expect(ready.length).toBe(report.slides);
    expect(report.slides).toBeGreaterThan(100);
    expect(report.patients).toBeGreaterThan(5);
  });
});

describe('PANDA', () => {
  async function testImage(name: string, id: string, size = 128): Promise<Buffer> {
    const generator = key(name).generator();
    const coarse = Buffer.from(Uint8Array.from({ length: 6 * 6 * 3 }, () => generator.integer(200)));
    const enlarged = await sharp(coarse, { raw: { width: 6, height: 6, channels: 3 } })
      .resize(size, size)
      .extend({ top: 20, bottom: 30, left: 10, right: 10, background: '#fff' })
      .withExif({ IFD0: { ImageDescription: id } })
      .tiff()
      .toBuffer();
    return enlarged;
  }

  it("comes from the user's folder: one provider or both, masks, duplicates as one patient", async () => {
    const rows = [...'abcdefg'].map((id) => `${id},${id === 'c' ? 'karolinska' : 'radboud'}`);
    write({
      'panda/train.csv': `image_id,data_provider\n${rows.join('\n')}\n`,
      'panda/train_images/a.tiff': await testImage('one', 'a'),
      'panda/train_images/b.tiff': await testImage('two', 'b'),
      'panda/train_images/c.tiff': await testImage('three', 'c'),
      'panda/train_images/d.tiff': await testImage('one', 'd', 200),
      'panda/train_images/e.tiff': 'no image',
      'panda/train_images/f.tiff': await testImage('four', 'f'),
    });
    for (const id of ['a', 'b', 'c', 'd', 'e']) write({ [`panda/train_label_masks/${id}_mask.tiff`]: `mask of ${id}` });
    const from = join(folder, 'panda');
    const { ready, lock, resolution, report } = await fetchDataset('segpanda200', { out, from });
    expect(ready.map(({ id, patient, site }) => [id, patient, site])).toEqual([
      ['a', 'a', 'radboud'],
      ['b', 'b', 'radboud'],
      ['d', 'a', 'radboud'],
    ]);
    expect(ready[0]!.mask).toBe(join(from, 'train_label_masks/a_mask.tiff'));
    expect(lock.excluded).toEqual([
      { id: 'e', reason: expect.stringMatching(/is not a jpeg, png, tiff, webp image/), fault: true },
      { id: 'f', reason: 'it has no mask in train_label_masks' },
      { id: 'g', reason: 'train.csv: there is no file train_images/g.tiff', fault: true },
    ]);
    expect([resolution, report.resolved]).toEqual([expect.stringMatching(/^not yet resolved/), false]);
    const both = await fetchDataset('segpanda200-both-providers', { out, from });
    expect(both.ready.map(({ site }) => site)).toEqual(['radboud', 'radboud', 'karolinska', 'radboud']);

    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(await fetch(['segpanda200', '--out', out, '--from', from])).toBe(1);
    expect(errors.mock.calls.flat().join('\n')).toMatch(
      /^1 excluded: it has no mask in train_label_masks \(f\)\nexcluded: e: .*\nexcluded: g: train\.csv: there is no file/,
    );
    // As many as are missing count among those that may fail.
    const words = ['segpanda200', '--from', from, '--source', out, '--data', join(folder, 'data')];
    await expect(compile([...words, '--max-failures', '1'])).rejects.toThrow(
      /2 entries of the list of segpanda200 are invalid, more than the limit of 1[\s\S]*g: train\.csv: there is no file/,
    );
    await expect(compile([...words, '--max-failures', '3'])).rejects.toThrow(
      /more than 3 of 3 slides failed \(including 2 wrong entries of the list\), so compiling stops/,
    );
  });

  it('says where it is had from', async () => {
    await expect(fetchDataset('segpanda200', { out })).rejects.toThrow(
      /download train\.csv.*name the folder with --from/,
    );
    await expect(fetchDataset('segpanda200', { out, from: folder })).rejects.toThrow(/train\.csv cannot be read/);
  });
});

describe('pathlab fetch', () => {
  it('plans without writing, then brings the files', async () => {
    const server = await started(startGdc([hit(1, 'TCGA-AA-0001', 'Colon', bytes(5000, 1))]));
    const path = definitionLike('ptcga200', small);
    const said: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)));
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const words = [path, '--endpoint', server.url, '--out', out];
    expect(await fetch([...words, '--plan', '--bandwidth', '10'])).toBe(0);
    expect(existsSync(out)).toBe(false);
    expect(said.join('\n')).toMatch(
      /not yet resolved[\s\S]*slides +1\n[\s\S]*files +1, 5000 bytes[\s\S]*at the bandwidth/,
    );
    said.length = 0;
    expect(await fetch(words)).toBe(0);
    expect(said.join('\n')).toMatch(
      /not yet resolved[\s\S]*1 of 1 slides are ready: 1 files downloaded, 0 already present/,
    );
    expect(readdirSync(join(out, 'slides')).length).toBe(1);
  });

  it('ends with 1 when a file fails', async () => {
    const fault = (path: string) => (path.startsWith('/data') ? { status: 404 } : undefined);
    const server = await started(startGdc([hit(1, 'TCGA-AA-0001', 'Colon', bytes(5000, 1))], { fault }));
    vi.spyOn(console, 'log').mockImplementation(() => {});
    const errors = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(await fetch([definitionLike('ptcga200', small), '--endpoint', server.url, '--out', out])).toBe(1);
    expect(errors.mock.calls.flat().join('\n')).toMatch(/failed: slides\/TCGA.*404/);
  });

  it.each<[string[], RegExp]>([
    [[], /fetch takes one NAME/],
    [['a', 'b'], /fetch takes one NAME/],
    [['none'], /there is no definition "none"/],
    [['ptcga200', '--limit', 'few'], /--limit takes a positive integer; got "few"/],
    [['ptcga200', '--bandwidth', '-1'], /--bandwidth/],
    [['ptcga200', '--endpoint', 'here'], /--endpoint takes a URL: "here" is not a URL/],
    [['ptcga200', '--endpoint', 'https://me:word@example.org'], /--endpoint takes a URL: .* holds a name or password/],
    [['ptcga200', '--endpoint', 'https://example.org/?of=me'], /an endpoint has no query or fragment/],
    [['ptcga200', '--endpoint', 'http://example.org'], /only https is allowed/],
    [['ptcga200', '--from', '/tmp'], /--from does not apply/],
    [['segpanda200', '--endpoint', 'https://example.org'], /has no endpoint: its files/],
    [['ptcga200', '--oot', 'x'], /--oot/],
  ])('says what is wrong with %j', async (words, message) => {
    await expect(fetch(words)).rejects.toThrow(message);
  });

  it.skipIf(!canMount)(
    'says that the disk is full, and goes on when there is room (needs leave to mount)',
    async () => {
      const hits = [
        hit(1, 'TCGA-AA-0001', 'Colon', bytes(150_000, 1)),
        hit(2, 'TCGA-AA-0002', 'Colon', bytes(60_000, 2)),
      ];
      const server = await started(startGdc(hits, { bytesPerSecond: 300_000 }));
      const path = definitionLike('ptcga200', small);
      const disk = smallDisk(320)!;
      try {
        const options = { ...quick, out: disk.folder, endpoint: server.url };
        // Something else fills the disk while it downloads.
        const fill = (event: { kind: string }) => event.kind === 'started' && disk.leave(0);
        const filled = fetchDataset(path, { ...options, parallel: 1, onProgress: fill });
        await expect(filled).rejects.toMatchObject({
          name: 'DiskFullError',
          message: expect.stringMatching(/^the disk is/),
        });
        // Nothing of it has a slide's name, and it is told as the command tells it.
        expect(existsSync(join(disk.folder, 'slides'))).toBe(false);
        const words = [path, '--endpoint', server.url, '--out', disk.folder];
        await expect(fetch(words)).rejects.toMatchObject({
          name: 'UsageError',
          message: expect.stringMatching(/^the disk is full: /),
        });
        disk.makeRoom();
        const { ready } = await fetchDataset(path, options);
        expect(ready.map((slide) => readFileSync(slide.path).length)).toEqual([150_000, 60_000]);
      } finally {
        disk.remove();
      }
    },
  );
});
