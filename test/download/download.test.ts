import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { md5, sendFile, sha256, startFiles, startServer } from '../../bench/data-servers.mjs';
import { key, projectRoot } from '../../src/base/index.js';
import {
  checkUrl,
  type Download,
  type DownloadOptions,
  type DownloadProgress,
  downloadAll,
  readReceived,
} from '../../src/download/index.js';
import { PartialFile } from '../../src/download/partial-file.js';
import { retryAfterSeconds } from '../../src/download/retry.js';

let folder: string;
let servers: { close(): Promise<void> }[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-download-'));
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function bytes(count: number, name: string | number = 0): Buffer {
  const generator = key(name).generator();
  return Buffer.from(Uint8Array.from({ length: count }, () => generator.integer(256)));
}

type Faults = NonNullable<Parameters<typeof startFiles>[1]>['fault'];

async function serve(files: Record<string, Buffer>, fault?: Faults, bytesPerSecond?: number) {
  const server = await startFiles(files, { fault, bytesPerSecond });
  servers.push(server);
  const wanted = Object.entries(files).map(
    ([path, content]): Download => ({
      path,
      url: `${server.url}/${path}`,
      bytes: content.length,
      md5: md5(content),
      sha256: null,
      etag: null,
    }),
  );
  return { ...server, wanted };
}

/** Waits short enough for a test, and everything else as users have it. */
const quick: DownloadOptions = {
  backoffSeconds: 0.01,
  slowSeconds: 0.3,
  minimumBytesPerSecond: 1000,
  syncEveryBytes: 4096,
};

const read = (path: string) => readFileSync(join(folder, path));
const leftovers = () => (existsSync(join(folder, 'partial')) ? readdirSync(join(folder, 'partial')) : []);

describe('downloadAll', () => {
  it('brings files whole, with a record of each, and asks for nothing the second time', async () => {
    const files = Object.fromEntries([1, 2, 3, 4, 5].map((n) => [`slides/${n}.svs`, bytes(1000 * n, n)]));
    const { wanted, requests } = await serve(files);
    const events: DownloadProgress[] = [];
    const first = await downloadAll(folder, wanted, { ...quick, onProgress: (event) => events.push(event) });
    expect(first.failed).toEqual([]);
    for (const [path, content] of Object.entries(files)) expect(read(path).equals(content)).toBe(true);
    expect(first.received.map(({ sha256 }) => sha256)).toEqual(Object.values(files).map(sha256));
    expect(leftovers()).toEqual([]);
    expect(events.filter(({ kind }) => kind === 'done').length).toBe(5);
    const asked = requests.length;
    const second = await downloadAll(folder, wanted, quick);
    expect([second.fetched, requests.length]).toEqual([0, asked]);
    expect(second.received).toEqual(first.received);
  });

  it('goes on after dropped connections, asking only for the rest', async () => {
    const content = bytes(100_000);
    const { wanted, requests } = await serve({ a: content }, (_, times) =>
      times <= 3 ? { dropAfter: 30_000 } : undefined,
    );
    const { failed } = await downloadAll(folder, wanted, quick);
    expect(failed).toEqual([]);
    expect(read('a').equals(content)).toBe(true);
    expect(requests.map(({ headers }) => headers.range !== undefined)).toEqual([false, true, true, true]);
    expect(requests[1]!.headers['if-range']).toBe(`"${md5(content)}"`);
  });

  it('goes on where a process stopped that was killed', async () => {
    const content = bytes(60_000);
    const { wanted, requests, url } = await serve({ a: content }, undefined, 60_000);
    const runs = pathToFileURL(join(projectRoot, 'dist/download/index.js')).href;
    const file = JSON.stringify(wanted[0]);
    const child = spawn(process.execPath, [
      '--input-type=module',
      '-e',
      `import { downloadAll } from ${JSON.stringify(runs)};
       await downloadAll(${JSON.stringify(folder)}, [${file}], { syncEveryBytes: 4096 });`,
    ]);
    const ended = once(child, 'exit');
    const partial = () => leftovers().find((name) => name.endsWith('.partial'));
    for (let look = 0; look < 2000; look++) {
      if (partial() && statSync(join(folder, 'partial', partial()!)).size > 20_000) break;
      await sleep(10);
    }
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(join(folder, 'a'))).toBe(false);
    expect(url).toBeTruthy();
    const { failed } = await downloadAll(folder, wanted, quick);
    expect(failed).toEqual([]);
    expect(read('a').equals(content)).toBe(true);
    expect(Number(/\d+/.exec(requests.at(-1)!.headers.range!)![0])).toBeGreaterThan(10_000);
    expect(leftovers()).toEqual([]);
  });

  it('begins anew when the content has changed meanwhile', async () => {
    const content = bytes(50_000);
    const { wanted } = await serve({ a: content }, (_, times) =>
      times === 1 ? { dropAfter: 20_000, etag: '"old"' } : undefined,
    );
    const { failed } = await downloadAll(folder, wanted, quick);
    expect(failed).toEqual([]);
    expect(read('a').equals(content)).toBe(true);
  });

  it('begins anew when the server knows no ranges', async () => {
    const content = bytes(50_000);
    const { wanted } = await serve({ a: content }, (_, times) =>
      times === 1 ? { dropAfter: 20_000 } : { ignoreRange: true },
    );
    expect((await downloadAll(folder, wanted, quick)).failed).toEqual([]);
    expect(read('a').equals(content)).toBe(true);
  });

  it.each([500, 503, 429])('tries again after a %i', async (status) => {
    const { wanted, requests } = await serve({ a: bytes(10) }, (_, times) => (times < 3 ? { status } : undefined));
    expect((await downloadAll(folder, wanted, quick)).failed).toEqual([]);
    expect(requests.length).toBe(3);
  });

  it('waits as long as the server asks', async () => {
    const { wanted } = await serve({ a: bytes(10) }, (_, times) =>
      times === 1 ? { status: 429, retryAfter: 1 } : undefined,
    );
    const waits: number[] = [];
    await downloadAll(folder, wanted, {
      ...quick,
      longestWaitSeconds: 2,
      attempts: 2,
      onProgress: (event) => event.kind === 'retry' && waits.push(event.waitSeconds),
    });
    expect(waits).toEqual([1]);
    expect(retryAfterSeconds('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2015-10-21T07:27:00Z'))).toBe(60);
    expect(retryAfterSeconds('soon')).toBeUndefined();
  }, 20_000);

  it('gives up after so many attempts, and what fails does not stop the rest', async () => {
    const { wanted, requests } = await serve({ bad: bytes(10), good: bytes(20), none: bytes(5) }, (path) =>
      path === 'bad' ? { status: 500 } : path === 'none' ? { status: 404 } : undefined,
    );
    const { failed, received } = await downloadAll(folder, wanted, { ...quick, attempts: 3 });
    expect(failed.map(({ path }) => path)).toEqual(['bad', 'none']);
    expect(failed[0]!.reason).toMatch(/the server has an internal error \(500\)/);
    expect(failed[1]!.reason).toMatch(/the server does not have this file \(404\)/);
    expect(received.map(({ path }) => path)).toEqual(['good']);
    expect(requests.filter(({ path }) => path === '/bad').length).toBe(3);
    expect(requests.filter(({ path }) => path === '/none').length).toBe(1);
  });

  it('puts content with a wrong checksum into quarantine, after a second try', async () => {
    const { wanted } = await serve({ 'slides/a': bytes(10_000), 'slides/b': bytes(10_000, 'b') }, (path, times) =>
      path.endsWith('a') || times === 1 ? { corrupt: true } : undefined,
    );
    const { failed, received } = await downloadAll(folder, wanted, quick);
    expect(failed.map(({ path }) => path)).toEqual(['slides/a']);
    expect(failed[0]!.reason).toMatch(/its MD5 is [0-9a-f]{32}, but the list says/);
    expect(received.map(({ path }) => path)).toEqual(['slides/b']);
    expect(existsSync(join(folder, 'slides/a'))).toBe(false);
    expect(readdirSync(join(folder, 'quarantine/slides'))).toEqual(['a', 'a.reason.json']);
  });

  it('refuses a file of another size than the list says', async () => {
    const { wanted } = await serve({ a: bytes(1000) }, () => ({ short: 10 }));
    const { failed } = await downloadAll(folder, wanted, quick);
    expect(failed[0]!.reason).toMatch(/\/a has 990 bytes, but the list says 1000/);
    expect(existsSync(join(folder, 'a'))).toBe(false);
  });

  it('refuses a file that has changed since the list was made', async () => {
    const { wanted } = await serve({ a: bytes(1000) });
    const { failed } = await downloadAll(folder, [{ ...wanted[0]!, md5: null, etag: '"other"' }], quick);
    expect(failed[0]!.reason).toMatch(/its ETag is .*, but the list says "other"; refresh the list/);
  });

  it('gives up a server that trickles or says nothing', async () => {
    const { wanted } = await serve({ slow: bytes(5000), hangs: bytes(10) }, (path) =>
      path === 'slow' ? { trickle: 50 } : { hang: true },
    );
    const { failed } = await downloadAll(folder, wanted, { ...quick, attempts: 2, answerSeconds: 0.3 });
    expect(failed[0]!.reason).toMatch(/sent less than 1000 bytes\/s for 0\.3 s/);
    expect(failed[1]!.reason).toMatch(/has not answered for 0\.3 s/);
  });

  it('checks a file without a checksum against its first download ever after', async () => {
    const content = bytes(3000);
    const { wanted } = await serve({ a: content });
    const unchecked = [{ ...wanted[0]!, md5: null }];
    await downloadAll(folder, unchecked, quick);
    expect(readReceived(folder, 'a')!.sha256).toBe(sha256(content));
    rmSync(join(folder, 'a'));
    const other = await serve({ a: bytes(3000, 'other') });
    const { failed } = await downloadAll(folder, [{ ...unchecked[0]!, url: other.wanted[0]!.url }], quick);
    expect(failed[0]!.reason).toMatch(/its SHA-256 is .*, but the record of the first download says/);
  });

  it('gets again what was damaged on the disk, and keeps the damaged file in quarantine until then', async () => {
    const content = bytes(3000);
    const { wanted } = await serve({ a: content });
    await downloadAll(folder, wanted, quick);
    const { mtime } = statSync(join(folder, 'a'));
    writeFileSync(join(folder, 'a'), bytes(3000, 'damage'));
    expect((await downloadAll(folder, wanted, quick)).fetched).toBe(1);
    expect(read('a').equals(content)).toBe(true);
    // Damage that leaves size and time as they were is seen when every byte is read.
    const again = statSync(join(folder, 'a')).mtime;
    writeFileSync(join(folder, 'a'), bytes(3000, 'damage'));
    utimesSync(join(folder, 'a'), again, again);
    expect(mtime).toBeTruthy();
    expect((await downloadAll(folder, wanted, { ...quick, everyByte: true })).fetched).toBe(1);
    expect(read('a').equals(content)).toBe(true);
  });

  it('takes a file that a user put there, if it is the right one', async () => {
    const content = bytes(3000);
    const { wanted, requests } = await serve({ 'slides/a': content });
    mkdirSync(join(folder, 'slides'));
    writeFileSync(join(folder, 'slides/a'), content);
    expect((await downloadAll(folder, wanted, quick)).received[0]!.sha256).toBe(sha256(content));
    expect(requests.length).toBe(0);
  });

  it('follows redirects only to hosts that are named, and takes the token to none of them', async () => {
    const content = bytes(100);
    const mirror = await serve({ a: content });
    const { wanted, url } = await serve({ a: content }, () => ({ redirect: `${mirror.url}/a?signature=hidden` }));
    const secret = { header: 'x-auth-token', value: 'secret-token' };
    const { failed } = await downloadAll(folder, wanted, { ...quick, secret });
    const host = new URL(mirror.url).host;
    expect(failed[0]!.reason).toContain(`redirects to the host ${host}, which is not one of those allowed`);
    expect(failed[0]!.reason).not.toMatch(/hidden|secret-token/);
    expect(mirror.requests.length).toBe(0);
    expect((await downloadAll(folder, wanted, { ...quick, secret, redirectHosts: [host] })).failed).toEqual([]);
    expect(mirror.requests[0]!.headers['x-auth-token']).toBeUndefined();
    expect(url).not.toBe(mirror.url);
  });

  it('shows a token to the server alone', async () => {
    const server = await startServer(async (request, response) => {
      if (request.headers['x-auth-token'] !== 'secret-token') response.writeHead(403).end();
      else await sendFile(request, response, { content: bytes(100) });
    });
    servers.push(server);
    const file = { path: 'a', url: `${server.url}/a`, bytes: 100, md5: null, sha256: null, etag: null };
    const refused = await downloadAll(folder, [file], quick);
    expect(refused.failed[0]!.reason).toMatch(/refuses access \(403\); a token may be missing/);
    const secret = { header: 'x-auth-token', value: 'secret-token' };
    expect((await downloadAll(folder, [file], { ...quick, secret })).failed).toEqual([]);
    for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!name.isFile()) continue;
      expect(readFileSync(join(name.parentPath, name.name)).includes('secret-token')).toBe(false);
    }
  });

  it('lets two at once share the work', async () => {
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`${n}`, bytes(8000, n)]));
    const { wanted, requests } = await serve(files, undefined, 200_000);
    const both = await Promise.all([downloadAll(folder, wanted, quick), downloadAll(folder, wanted, quick)]);
    expect(both.map(({ failed }) => failed)).toEqual([[], []]);
    expect(both.map(({ received }) => received.length)).toEqual([12, 12]);
    expect(both[0]!.fetched + both[1]!.fetched).toBe(12);
    expect(requests.length).toBe(12);
    for (const [path, content] of Object.entries(files)) expect(read(path).equals(content)).toBe(true);
  });

  it('refuses what does not fit before anything is asked for', async () => {
    const { wanted, requests } = await serve({ a: bytes(1000), b: bytes(2000) });
    await expect(downloadAll(folder, wanted, { ...quick, diskBudgetBytes: 2500 })).rejects.toThrow(
      /the 2 files take 3000 bytes in all, but the disk budget is 2500 bytes; use fewer files or a larger budget/,
    );
    await expect(downloadAll(folder, wanted, { ...quick, keepFreeBytes: 1e18 })).rejects.toThrow(
      /the disk is full: 2 files of 3000 bytes are missing, and the disk of .* has 0 bytes for them/,
    );
    expect(requests.length).toBe(0);
  });

  it('stops when asked to, keeps what came, and goes on from there', async () => {
    const content = bytes(60_000);
    const { wanted, requests } = await serve({ a: content }, undefined, 60_000);
    const stop = new AbortController();
    const running = downloadAll(folder, wanted, { ...quick, signal: stop.signal });
    setTimeout(() => stop.abort(), 500);
    await expect(running).rejects.toThrow(/downloading was interrupted; run it again to continue/);
    expect((await downloadAll(folder, wanted, quick)).failed).toEqual([]);
    expect(read('a').equals(content)).toBe(true);
    expect(requests[1]!.headers.range).toBeDefined();
  });

  it('keeps below a bandwidth', async () => {
    const { wanted } = await serve({ a: bytes(40_000) });
    const seen: number[] = [];
    // Only that it is not faster: no machine is too slow for that.
    const started = performance.now();
    await downloadAll(folder, wanted, { ...quick, bytesPerSecond: 100_000, onProgress: () => seen.push(1) });
    expect(performance.now() - started).toBeGreaterThan(100);
  });
});

describe('a partial file', () => {
  const open = () => PartialFile.open(folder, 'slides/a', 10);
  const content = { bytes: 30, etag: '"e"', modified: null };

  it('that another process took over cannot be finished by the first', async () => {
    const first = await open();
    await first.restart(content);
    await first.write(bytes(20));
    await first.sync();
    const second = await open();
    expect(second.received).toBe(20);
    await second.resume();
    await second.write(bytes(10));
    await expect(first.finish()).rejects.toThrow(/ENOENT/);
    await second.finish();
    expect(existsSync(dirname(join(folder, 'slides/a')))).toBe(true);
    expect(read('slides/a').length).toBe(30);
    await first.close();
  });

  it('whose end was not synced goes on before it', async () => {
    const first = await open();
    await first.restart(content);
    await first.write(bytes(12));
    await first.write(bytes(5));
    await first.close();
    expect((await open()).received).toBe(12);
  });
});

describe('checkUrl', () => {
  it.each([
    ['http://example.org/x', /only https is allowed/],
    ['ftp://example.org/x', /only https is allowed/],
    ['https://user:word@example.org/x', /holds a name or password/],
    ['http://127.0.0.1.example.org/x', /only https is allowed/],
    ['slides', /is not a URL/],
  ])('refuses %s', (address, message) => {
    expect(() => checkUrl(address)).toThrow(message);
    expect(() => checkUrl(address)).not.toThrow(/word@/);
  });

  it('takes https, and plain http on this machine', () => {
    expect(checkUrl('https://example.org/x').host).toBe('example.org');
    expect(checkUrl('http://127.0.0.1:80/x').hostname).toBe('127.0.0.1');
    expect(checkUrl('http://localhost:8080/x').port).toBe('8080');
  });
});
