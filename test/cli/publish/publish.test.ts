import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOfFile, InterruptedError, projectRoot, sha256 } from '../../../src/base/index.js';
import { chooseRuns } from '../../../src/cli/publish/choose-runs.js';
import { publish } from '../../../src/cli/publish/publish.js';
import { filesIn } from '../../../src/cli/publish/site-files.js';
import { writeSite } from '../../../src/cli/publish/write-site.js';
import { UsageError } from '../../../src/cli/usage-error.js';
import { verify } from '../../../src/cli/verify.js';
import { openRun } from '../../../src/runs/index.js';
import { untrainedRun } from '../fine-tuned-runs.js';
import { addPages, pretrainedRun } from './published-runs.js';

const folder = mkdtempSync(join(tmpdir(), 'publish-'));
afterAll(() => rmSync(folder, { recursive: true }));
const said = vi.spyOn(console, 'log').mockImplementation(() => {});
beforeEach(() => void said.mockClear());
const lines = (start: string) => said.mock.calls.flat().filter((line: string) => line.startsWith(start)) as string[];
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));

const [data, api, site] = [join(folder, 'clinic', 'patches'), join(folder, 'api'), join(folder, 'site')];
let [first, again, arms] = ['', '', ''];
beforeAll(async () => {
  mkdirSync(api);
  writeFileSync(
    join(api, 'index.html'),
    '<a href="../index.html#top">results</a><a name="top" href="https://x.org/">x</a>',
  );
  writeFileSync(join(api, 'made-from'), 'a hash');
  first = await pretrainedRun(join(folder, '11-pretrain-simclr-smoke-0000000a'), { data });
  again = await pretrainedRun(join(folder, '11-pretrain-simclr-smoke-0000000b'));
  arms = await untrainedRun(
    '20-finetune-ptcga200',
    { scale: 'smoke', seed: 1 },
    {
      ...{ out: join(folder, '20-finetune-ptcga200-smoke-0000000c'), arms: ['random', 'SimCLR'] },
      classNames: ['brain', 'skin'],
    },
  );
  addPages(arms);
  writeFileSync(join(api, 'index.html'), '<a href="../index.html">results</a><a href="https://x.org/">x</a>');
  expect(await publish([site, first, again, arms, '--author', 'A. Person'], api)).toBe(0);
}, 120_000);

/** A copy of the site, changed. */
function changed(name: string, change: (path: (file: string) => string) => void): string {
  const copy = join(folder, name);
  cpSync(site, copy, { recursive: true });
  change((file) => join(copy, file));
  return copy;
}

describe('a published site', () => {
  it('has pages, numbers, cards and each weights file once, and no checkpoints', async () => {
    const files = filesIn(site);
    const backbone = await digestOfFile(join(first, 'backbone.safetensors'));
    expect(await digestOfFile(join(again, 'backbone.safetensors'))).toBe(backbone);
    const weights = files.filter((file) => file.startsWith('weights/'));
    expect(weights).toHaveLength(1 + 4);
    for (const file of weights) expect(await digestOfFile(join(site, file))).toBe(basename(file, '.safetensors'));
    expect(files.filter((file) => /checkpoints|made-from|\.lock|backbone\.safetensors/.test(file))).toEqual([]);
    const card = readFileSync(join(site, 'runs', basename(first), 'model-card.html'), 'utf8');
    expect(card).toContain(`href="../../weights/${backbone}.safetensors"`);
    expect(files.filter((file) => /model-card-.*\.html$/.test(file)).map((file) => basename(file))).toEqual([
      'model-card-SimCLR-fold-1-seed-1.html',
      'model-card-random-fold-1-seed-1.html',
    ]);
    const gallery = readFileSync(join(site, 'index.html'), 'utf8');
    for (const name of [first, again, arms].map((run) => basename(run)))
      expect(gallery).toContain(`runs/${name}/notebook.html`);
  });

  it('has every number with what made it, as JSON and as CSV', () => {
    const { results } = json(site, 'results.json');
    expect(results).toHaveLength(2 + 2 + 2);
    const { runHash, hashes } = json(first, 'provenance.json');
    expect(results[0]).toEqual({
      ...{
        run: basename(first),
        runHash,
        notebook: '11-pretrain-simclr',
        scale: 'smoke',
        seed: 1,
        edited: false,
        hashes,
      },
      parameters: { scale: 'smoke', seed: 1, data: 'patches' },
      data: [{ name: 'slides', files: 1, sha256: 'd'.repeat(64) }],
      ...{ metric: 'kNN accuracy, "SimCLR"', value: 61.5, interval: [50.25, 70], unit: '%', about: 'held-out, of 16' },
    });
    const csv = readFileSync(join(site, 'results.csv'), 'utf8').trimEnd().split('\n');
    expect(csv).toHaveLength(1 + results.length);
    expect(csv[1]).toMatch(
      /^[\w-]+,11-pretrain-simclr,smoke,1,"kNN accuracy, ""SimCLR""",61\.5,50\.25,70,%,"held-out, of 16",/,
    );
    expect(csv[2]).toMatch(/,alignment,1e-7,,,,,/);
  });

  it('has no path of the machine, and says what it replaced', async () => {
    for (const file of filesIn(site)) {
      const bytes = readFileSync(join(site, file));
      for (const text of [projectRoot, folder, 'clinic']) expect(bytes.includes(text), `${file}: ${text}`).toBe(false);
    }
    const run = join(site, 'runs', basename(first));
    const { data: of, command, published } = json(run, 'provenance.json');
    expect([of[0].path, command]).toEqual([
      'patches',
      'npm run notebook -- 11-pretrain-simclr -p scale smoke -p seed 1 -p data patches',
    ]);
    expect(readFileSync(join(run, 'notebook.html'), 'utf8')).toContain('<h2 id="a">results</h2>');
    const altered = published.altered.map(({ file }: { file: string }) => file);
    expect(altered).toEqual(['notebook.html', 'notebook.ipynb', 'parameters.json', 'results.csv', 'provenance.json']);
    for (const { file, original } of published.altered) expect(original).toBe(await digestOfFile(join(first, file)));
  });

  it('describes each run as an action of a Process Run Crate, and each file with size and SHA-256', async () => {
    const { '@graph': graph } = json(site, 'ro-crate-metadata.json') as { '@graph': Record<string, never>[] };
    const ids = graph.map((entity) => entity['@id']);
    expect(new Set(ids).size).toBe(ids.length);
    const files = graph.filter((entity) => entity['@type'] === 'File');
    expect(files.map(({ name }) => name).sort()).toEqual(
      filesIn(site).filter((file) => file !== 'ro-crate-metadata.json'),
    );
    for (const { name, sha256: digest, contentSize } of files) {
      const bytes = readFileSync(join(site, name!));
      expect([digest, contentSize]).toEqual([sha256(bytes), String(bytes.length)]);
    }
    // Every reference is to an entity of the graph.
    const references = (value: unknown): string[] =>
      typeof value !== 'object' || value === null
        ? []
        : Object.entries(value).flatMap(([name, part]) => (name === '@id' ? [part] : references(part)));
    const outside = new Set(['https://w3id.org/ro/crate/1.1']);
    expect(graph.flatMap(references).filter((id) => !ids.includes(id as never) && !outside.has(id))).toEqual([]);
    const action = graph.find((entity) => entity['@id'] === `#run-${basename(first)}`)!;
    const weights = `weights/${await digestOfFile(join(first, 'backbone.safetensors'))}.safetensors`;
    expect(action).toMatchObject({ '@type': 'CreateAction', agent: { '@id': '#author-a-person' } });
    expect((action.result as { '@id': string }[]).map((entity) => entity['@id'])).toContain(weights);
  });
});

describe('pathlab verify of a site', () => {
  it('holds for a copy elsewhere', async () => {
    const copy = changed('elsewhere', () => {});
    expect(await verify([copy]), lines('FAILED').join('\n')).toBe(0);
    expect(lines('ok      numbers of')).toHaveLength(3);
    expect(lines(`ok      provenance of ${basename(first)}`)).toEqual([expect.stringContaining('2 altered')]);
    expect(lines('SHA-256 of')[0]).toContain(await digestOfFile(join(site, 'ro-crate-metadata.json')));
  });

  it('names what was tampered with, removed or added', async () => {
    const metrics = `runs/${basename(first)}/metrics.json`;
    const copy = changed('tampered', (file) => {
      writeFileSync(file(metrics), readFileSync(file(metrics), 'utf8').replace('61.5', '91.5'));
      rmSync(file(`runs/${basename(again)}/notebook.html`));
      writeFileSync(file('weights/extra.safetensors'), 'x');
    });
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED')).toEqual([
      `FAILED  ${metrics}: changed since it was published`,
      `FAILED  runs/${basename(again)}/notebook.html: missing`,
      'FAILED  weights/extra.safetensors: not a file of the site',
      `FAILED  provenance of ${basename(first)}: not as the run left them: metrics.json`,
      `FAILED  numbers of ${basename(first)}: results.json does not have those of its metrics.json`,
      expect.stringMatching(/^FAILED {2}links: index\.html: .*notebook\.html: there is no such file/),
    ]);
  });

  it('names the file that is missing or broken in a damaged site', async () => {
    const copy = changed('damaged', (file) => {
      rmSync(file(`runs/${basename(first)}/provenance.json`));
      rmSync(file(`runs/${basename(again)}/metrics.json`));
      writeFileSync(file('runs/.DS_Store'), 'x');
    });
    expect(await verify([copy, '--evaluate'])).toBe(2);
    const failed = lines('FAILED').join('\n');
    for (const part of [
      'runs/.DS_Store: not a file of the site',
      `provenance of ${basename(first)}: not checked: provenance.json of `,
      `numbers of ${basename(first)}: not checked: provenance.json of `,
      `numbers of ${basename(again)}: not checked: metrics.json of `,
      `${basename(first)}: not checked: `,
    ])
      expect(failed).toContain(`FAILED  ${part}`);
    expect(lines(`ok      numbers of ${basename(arms)}`)).toHaveLength(1);
    rmSync(join(copy, 'results.json'));
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED  numbers: not checked: results.json of ')).toHaveLength(1);
    writeFileSync(join(copy, 'results.json'), '{}');
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED  numbers: not checked: results.json has no list')).toHaveLength(1);
  });

  it('evaluates again on request, and says where the data is not at hand', async () => {
    const out = join(folder, 'alone');
    await publish([out, first], api);
    expect(await verify([out, '--evaluate'])).toBe(2);
    expect(lines('ok      src/: unchanged')).toHaveLength(1);
    expect(lines('FAILED')).toEqual([expect.stringMatching(/^FAILED {2}metrics: not checked: .*patches/)]);
    said.mockClear();
    const page = await openRun({
      ...{ notebook: '40-results', parameters: { scale: 'smoke' }, inputs: { 'runs that were read': 'elsewhere' } },
      out: join(folder, '40-results-smoke-0000000a'),
    });
    await page.keep({ seed: 1, device: {}, splits: {}, data: [], weights: {}, metrics: [] });
    // As of another machine, the runs that it read are not here.
    await publish([out, page.folder, '--stale'], api);
    expect(await verify([out, '--evaluate']), lines('FAILED').join('\n')).toBe(0);
    expect(lines('not checked: whether its tables are of all runs that it read')).toHaveLength(1);
    await expect(verify([first, '--evaluate'])).rejects.toThrow(/--evaluate is for a site/);
  });

  it('finds a number that was changed together with its hash in the crate', async () => {
    const copy = changed('forged', (file) => {
      const before = readFileSync(file('results.json'), 'utf8');
      const after = before.replace('61.5', '91.5');
      writeFileSync(file('results.json'), after);
      const crate = readFileSync(file('ro-crate-metadata.json'), 'utf8');
      writeFileSync(file('ro-crate-metadata.json'), crate.replace(sha256(before), sha256(after)));
    });
    expect(await verify([copy])).toBe(2);
    expect(lines('FAILED')).toEqual([expect.stringMatching(/^FAILED {2}numbers of .*0a: results\.json/)]);
  });
});

describe('pathlab publish', () => {
  const copyOf = (run: string, name: string, change: (path: (file: string) => string) => void) => {
    const copy = join(folder, name);
    cpSync(run, copy, { recursive: true });
    change((file) => join(copy, file));
    return copy;
  };
  const provenance = (change: (kept: Record<string, never>) => object) => (file: (name: string) => string) => {
    const kept = json(file('provenance.json'));
    writeFileSync(file('provenance.json'), JSON.stringify({ ...kept, ...change(kept) }));
  };

  it('says why it leaves out a run, and takes edited and stale ones only when asked, marked', async () => {
    const open = await openRun({
      notebook: '11-pretrain-simclr',
      parameters: { scale: 'smoke' },
      out: join(folder, 'open'),
    });
    const edited = copyOf(
      again,
      '11-pretrain-simclr-smoke-0000000d',
      provenance(() => ({ edited: ['print(1)'] })),
    );
    const stale = copyOf(
      again,
      '11-pretrain-simclr-smoke-0000000e',
      provenance(({ hashes }) => ({ hashes: { ...(hashes as object), 'src/': 'x' } })),
    );
    const torn = copyOf(again, '11-pretrain-simclr-smoke-0000000f', (file) =>
      writeFileSync(file('metrics.json'), '{}'),
    );
    const none = join(folder, 'none');
    for (const [run, reason] of [
      [open.folder, /open: it is not finished/],
      [edited, /cells were edited \(publish it with --edited\)/],
      [stale, /other code than now: src\/ \(publish it with --stale\)/],
      [torn, /metrics\.json changed since the run/],
    ] as const) {
      await expect(publish([none, again, run], api)).rejects.toThrow(reason);
    }
    expect(await publish([none, edited, stale, '--edited', '--stale', '--without-weights'], api)).toBe(0);
    const gallery = readFileSync(join(none, 'index.html'), 'utf8');
    expect(gallery).toContain('<span class="tag edited">other code than now: src/</span>');
    expect(gallery).toContain('seed 1, edited</a>');
    const readme = readFileSync(join(none, 'README.md'), 'utf8');
    for (const mark of ['cells were edited', 'other code than now: src/']) expect(readme).toContain(`| ${mark} |`);
    expect(filesIn(none).filter((file) => file.startsWith('weights/'))).toEqual([]);
    expect(await verify([none])).toBe(0);
    expect(lines('ok      provenance of')).toEqual([1, 2].map(() => expect.stringContaining('1 not published')));
  });

  it('refuses a path that nothing replaces, and takes --replace', async () => {
    const run = copyOf(again, '11-pretrain-simclr-smoke-00000010', (file) =>
      writeFileSync(file('notes.txt'), 'from /home/someone/secret.csv'),
    );
    const out = join(folder, 'notes');
    await expect(publish([out, run], api)).rejects.toThrow(
      /notes\.txt has "\/home\/someone\/secret\.csv", which tells/,
    );
    expect(readdirSync(folder).filter((name) => /^notes|partial/.test(name))).toEqual([]);
    expect(await publish([out, run, '--replace', '/home/someone=elsewhere'], api)).toBe(0);
    expect(readFileSync(join(out, 'runs', basename(run), 'notes.txt'), 'utf8')).toBe('from elsewhere/secret.csv');
    await publish([out, run, '--replace', '/home/someone=/home/someone'], api);
    expect(readFileSync(join(out, 'runs', basename(run), 'notes.txt'), 'utf8')).toBe('from /home/someone/secret.csv');
  });

  it('refuses paths of the machine that a run was copied from', async () => {
    const run = copyOf(again, '11-pretrain-simclr-smoke-00000018', (file) => {
      provenance(() => ({ data: [{ name: 'slides', path: '/ceph/lab/patches', sha256: 'd'.repeat(64) }] }))(file);
      writeFileSync(file('trace.txt'), 'at run (/ceph/users/someone/env/x.js:1)');
    });
    await expect(publish([join(folder, 'copied'), run], api)).rejects.toThrow(
      /trace\.txt has "\/ceph\/users\/someone\/env\/x\.js:1", which tells/,
    );
  });

  it('writes a site as a whole or leaves the earlier one, and nothing that is not its own', async () => {
    const out = changed('kept', () => {});
    const before = await Promise.all(filesIn(out).map((file) => digestOfFile(join(out, file))));
    const dead = copyOf(again, '11-pretrain-simclr-smoke-00000011', (file) =>
      addPages(file('.'), { links: '<a href="missing.html">x</a><img src=\'figures/none.png\'><a href="#b">y</a>' }),
    );
    await expect(publish([out, dead], api)).rejects.toThrow(
      /0011\/notebook\.html: missing\.html: there is no such file\n.*figures\/none\.png: there is no such file\n.*#b: the page has no such place/,
    );
    expect(await Promise.all(filesIn(out).map((file) => digestOfFile(join(out, file))))).toEqual(before);
    expect(await publish([out, again], api)).toBe(0);
    expect(readdirSync(join(out, 'runs'))).toEqual([basename(again)]);
    writeFileSync(join(out, 'mine.txt'), 'a note');
    await expect(publish([out, again], api)).rejects.toThrow(/files that are not of a published site: mine\.txt/);
    mkdirSync(join(folder, 'checkout', '.git'), { recursive: true });
    await expect(publish([join(folder, 'checkout'), again], api)).rejects.toThrow(/not of a published site: \.git/);
    expect(readdirSync(folder).filter((name) => name.includes('partial'))).toEqual([]);
  });

  it('replaces no crate of another program, and no broken one', async () => {
    const out = join(folder, 'theirs');
    mkdirSync(out);
    writeFileSync(join(out, 'precious.csv'), '1');
    for (const [crate, reason] of [
      [
        '{"@graph":[{"@id":"ro-crate-metadata.json"},{"@id":"precious.csv"}]}',
        /is not of pathlab publish; choose a new/,
      ],
      ['{"@graph":', /ro-crate-metadata\.json of .* cannot be read/],
      ['{}', /is not an RO-Crate: it has no list "@graph"/],
    ] as const) {
      writeFileSync(join(out, 'ro-crate-metadata.json'), crate);
      const refused = publish([out, again], api);
      await expect(refused).rejects.toThrow(reason);
      await expect(refused).rejects.toBeInstanceOf(UsageError);
      expect(readdirSync(out)).toEqual(['precious.csv', 'ro-crate-metadata.json']);
    }
  });

  it('leaves out a page of results that shows runs that are not published', async () => {
    const page = copyOf(again, '11-pretrain-simclr-smoke-00000013', (file) =>
      addPages(file('.'), { links: `<a href="../${basename(first)}/notebook.html">x</a>` }),
    );
    const { chosen, leftOut } = await chooseRuns([page, again]);
    expect(chosen.map(({ name }) => name)).toEqual([basename(again)]);
    expect(leftOut).toEqual([{ name: basename(page), reason: `it shows ${basename(first)}, not published` }]);
    expect((await chooseRuns([page, first])).leftOut).toEqual([]);
  });

  it('leaves out only the pages that lead to pages elsewhere, and those that show them', async () => {
    const links = [
      '../../evidence/paper/x/notebook.html',
      '../../mine/y%201/notebook.html#a',
      'https://x.org/notebook.html',
    ];
    const page = copyOf(again, '11-pretrain-simclr-smoke-00000014', (file) =>
      addPages(file('.'), { links: links.map((link) => `<a href='${link}'>x</a>`).join('') }),
    );
    const other = copyOf(again, '11-pretrain-simclr-smoke-00000015', (file) =>
      addPages(file('.'), { links: `<a href="../${basename(page)}/notebook.html">x</a>` }),
    );
    const { chosen, leftOut } = await chooseRuns([other, page, first]);
    expect(chosen.map(({ name }) => name)).toEqual([basename(first)]);
    expect(leftOut).toEqual([
      { name: basename(page), reason: 'it shows evidence/paper/x, mine/y 1, not published' },
      { name: basename(other), reason: `it shows ${basename(page)}, not published` },
    ]);
  });

  it('publishes runs without a page, as JupyterLab leaves them, and links to none', async () => {
    const bare = (file: (name: string) => string) => {
      for (const name of ['notebook.html', 'notebook.ipynb']) rmSync(file(name));
    };
    const one = copyOf(again, '11-pretrain-simclr-smoke-00000016', bare);
    const second = await pretrainedRun(join(folder, '11-pretrain-simclr-smoke-00000017'), { seed: 2 });
    bare((file) => join(second, file));
    const out = join(folder, 'bare');
    expect(await publish([out, one, second], api)).toBe(0);
    const gallery = readFileSync(join(out, 'index.html'), 'utf8');
    expect(gallery).toContain('2 seeds');
    expect(gallery).not.toContain('notebook.html');
    expect(await verify([out])).toBe(0);
  });

  it('leaves nothing behind when it is interrupted', async () => {
    const { chosen } = await chooseRuns([again]);
    const title = { title: 'a site', authors: [], date: new Date().toISOString() };
    const options = { title, api, withWeights: true, words: [], signal: AbortSignal.abort() };
    await expect(writeSite(join(folder, 'stopped'), chosen, options)).rejects.toThrow(InterruptedError);
    expect(readdirSync(folder).filter((name) => /stopped|partial/.test(name))).toEqual([]);
  });

  it('copies text that is not UTF-8 byte for byte, unless it would be changed', async () => {
    const latin = Buffer.from('Z\xfcrich 1', 'latin1');
    const run = copyOf(again, '11-pretrain-simclr-smoke-00000012', (file) => writeFileSync(file('site.csv'), latin));
    const out = join(folder, 'latin');
    await publish([out, run], api);
    expect(readFileSync(join(out, 'runs', basename(run), 'site.csv')).equals(latin)).toBe(true);
    await expect(publish([out, run, '--replace', 'rich=x', '--replace', '1=2'], api)).rejects.toThrow(
      /site\.csv is not UTF-8/,
    );
  });

  it('only lists with --plan, and says what it was not told', async () => {
    await publish([join(folder, 'planned'), first, '--plan'], api);
    expect(lines('at least ')).toHaveLength(1);
    expect(readdirSync(folder)).not.toContain('planned');
    await expect(publish([], api)).rejects.toThrow(/publish takes a FOLDER/);
    await expect(publish([site, join(folder, 'gone')], api)).rejects.toThrow(/gone is not a folder of a run/);
    await expect(publish([site, first, '--replace', 'x'], api)).rejects.toThrow(/--replace takes FROM=TO; got "x"/);
  });
});

describe('the MLflow file store', () => {
  const store = join(folder, 'mlruns');
  const keysOf = (yaml: string) =>
    yaml
      .trimEnd()
      .split('\n')
      .map((line) => line.split(':')[0]!);
  // Written by MLflow itself (test/fixtures/mlflow/make.py); `npm run campaign -- published` reads ours with MLflow.
  const theirs = json(projectRoot, 'test', 'fixtures', 'mlflow', 'store.json') as Record<string, string>;

  it('has the files, fields and lines of one that MLflow writes', async () => {
    expect(await publish([site, first, arms, '--mlflow', store], api)).toBe(0);
    const files = filesIn(store);
    const parts = (name: string) => files.filter((file) => file.split('/')[2] === name);
    const experiments = files.filter((file) => /^\d+\/meta\.yaml$/.test(file));
    expect(experiments.map((file) => /name: (.*)/.exec(readFileSync(join(store, file), 'utf8'))![1]).sort()).toEqual([
      '"11-pretrain-simclr"',
      '"20-finetune-ptcga200"',
    ]);
    // Newer fields have defaults; what older versions of MLflow need is there.
    const newer = ['effective_trace_archival_retention', 'trace_location', 'workspace'];
    for (const file of experiments)
      expect([...keysOf(readFileSync(join(store, file), 'utf8')), ...newer].sort()).toEqual(
        keysOf(theirs['EXPERIMENT/meta.yaml']!),
      );
    const runs = parts('meta.yaml');
    expect(runs).toHaveLength(2);
    for (const file of runs) {
      expect(file).toMatch(/^\d+\/[0-9a-f]{32}\/meta\.yaml$/);
      const keys = keysOf(readFileSync(join(store, file), 'utf8'));
      expect(keys.filter((name) => name !== 'run_uuid')).toEqual(keysOf(theirs['EXPERIMENT/RUN/meta.yaml']!));
      expect(readdirSync(join(store, file, '..')).sort()).toEqual([
        'artifacts',
        'meta.yaml',
        'metrics',
        'params',
        'tags',
      ]);
    }
    const steps = parts('metrics').find((file) => file.endsWith('/training/loss'))!;
    const lines = readFileSync(join(store, steps), 'utf8').replaceAll(/^\d{13} /gm, 'TIME ');
    expect(lines).toBe('TIME 2.5 1\nTIME 1.5 2\n');
    expect(parts('metrics').map((file) => file.split('/').slice(3).join('/'))).toContain('kNN accuracy SimCLR');
    expect(readFileSync(join(store, parts('params').find((file) => file.endsWith('/seed'))!), 'utf8')).toBe('1');
  });

  it('does not mix with what is there', async () => {
    mkdirSync(join(folder, 'taken'));
    writeFileSync(join(folder, 'taken', 'x'), '');
    const args = [join(folder, 'unused'), first, '--mlflow', join(folder, 'taken')];
    await expect(publish(args, api)).rejects.toThrow(/taken is not empty/);
    expect(readdirSync(folder)).not.toContain('unused');
  });
});
