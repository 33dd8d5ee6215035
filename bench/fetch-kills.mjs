// The fetch half of the campaign kills-data: `pathlab fetch` ended with SIGKILL at random moments and run again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { key } from '../dist/base/index.js';
import { sha256, startGdc } from './data-servers.mjs';

const program = `
import { main } from ${JSON.stringify(new URL('../dist/cli/main.js', import.meta.url).href)};
process.exitCode = await main(process.argv.slice(1));`;

/**
 * Kills fetch at random moments, each time from nothing, looks at what is there, and runs it again to its end.
 *
 * @param {{kills: number, seed: string | number, onKill?: (result: object) => void}} options
 * @returns {Promise<{killedAtSeconds: number, filesThere: number, partialBytes: number, faults: string[]}[]>}
 *   `faults`: what was readable and not whole after the kill, or other than undisturbed after the re-run
 */
export async function fetchKills({ kills, seed, onKill = () => {} }) {
  const random = key(seed).generator();
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-fetch-kills-'));
  const server = await startGdc(slidesOf(random), { bytesPerSecond: 150_000 });
  try {
    const definition = writeDefinition(folder);
    const fetch = (out) => start(['fetch', definition, '--out', out, '--endpoint', server.url, '--parallel', '3']);
    const whole = await undisturbed(fetch, join(folder, 'whole'));
    const results = [];
    for (let kill = 0; kill < kills; kill++) {
      const out = join(folder, `kill-${kill}`);
      const result = await killOnce(fetch, out, whole, random.uniform() * whole.seconds);
      rmSync(out, { recursive: true, force: true });
      results.push(result);
      onKill(result);
    }
    return results;
  } finally {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

function slidesOf(random) {
  return Array.from({ length: 6 }, (_, number) => ({
    file_id: `00000000-0000-0000-0000-${String(number).padStart(12, '0')}`,
    file_name: `TCGA-0${number}-000${number}-01Z-00-DX1.${number}.svs`,
    cases: [{ submitter_id: `TCGA-0${number}-000${number}`, primary_site: 'Colon' }],
    content: Buffer.from(Uint8Array.from({ length: 60_000 + random.integer(60_000) }, () => random.integer(256))),
  }));
}

function writeDefinition(folder) {
  const paper = JSON.parse(readFileSync(new URL('../data-manifests/ptcga200.json', import.meta.url), 'utf8'));
  const path = join(folder, 'small.json');
  writeFileSync(path, JSON.stringify({ ...paper, name: 'small', minimumBytes: 0 }));
  return path;
}

function start(words) {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program, '--', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  return { child, ended: once(child, 'exit'), errors: () => errors };
}

async function undisturbed(fetch, out) {
  const started = performance.now();
  const { ended, errors } = fetch(out);
  const [code] = await ended;
  if (code !== 0) throw new Error(`fetch does not end well even when nobody kills it:\n${errors()}`);
  return { seconds: (performance.now() - started) / 1000, files: readable(out) };
}

async function killOnce(fetch, out, whole, seconds) {
  const { child, ended } = fetch(out);
  await Promise.race([ended, sleep(seconds * 1000)]);
  child.kill('SIGKILL');
  await ended;
  const there = readable(out);
  const faults = [];
  for (const [name, digest] of there) {
    if (whole.files.get(name) !== digest) faults.push(`${name} was readable and not whole after the kill`);
  }
  const partialBytes = sizes(join(out, 'partial'));
  const again = fetch(out);
  const [code] = await again.ended;
  if (code !== 0) faults.push(`run again it ended with ${code}: ${again.errors()}`);
  const after = readable(out);
  for (const name of new Set([...whole.files.keys(), ...after.keys()])) {
    if (whole.files.get(name) !== after.get(name)) faults.push(`${name} is not as in an undisturbed run`);
  }
  const left = existsSync(join(out, 'partial')) ? readdirSync(join(out, 'partial')) : [];
  if (left.length > 0) faults.push(`partial/ still holds ${left.join(', ')}`);
  return { killedAtSeconds: seconds, filesThere: there.size, partialBytes, faults };
}

/** SHA-256 of the files that a reader takes for whole: the lock file and the downloads. */
function readable(out) {
  if (!existsSync(out)) return new Map();
  const names = readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(out, join(entry.parentPath, entry.name)))
    .filter((name) => (name === 'lock.json' || name.startsWith('slides')) && !name.endsWith('.partial'));
  return new Map(names.sort().map((name) => [name, sha256(readFileSync(join(out, name)))]));
}

function sizes(folder) {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}
