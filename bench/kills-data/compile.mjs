// Compiling, killed at random moments and run again: by one process, or by two on one folder.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { key } from '../../dist/base/index.js';
import { compileDataset, readDefinition, readShard, shardFolder, syntheticDataset } from '../../dist/datasets/index.js';

const child = fileURLToPath(new URL('./compile-child.mjs', import.meta.url));

/**
 * Draws a small cohort and compiles it undisturbed.
 *
 * @param {number} slides
 * @returns {Promise<Trials>} to be closed
 */
export async function prepareCompile(slides) {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-kills-'));
  const options = { kind: 'ptcga200', patients: slides, classes: 1, columns: 4, rows: 2 };
  const cohort = await syntheticDataset(options, key('kills'), { folder: join(folder, 'slides') });
  const none = { patient: null, site: null, class: null, mask: null, annotation: null };
  const definition = { ...readDefinition('ptcga200'), name: 'kills', labels: { from: 'none' } };
  definition.geometry = { ...definition.geometry, pixels: 256 };
  const dataset = { definition, slides: cohort.slides.map((slide) => ({ ...slide, ...none })) };
  const path = join(folder, 'dataset.json');
  writeFileSync(path, JSON.stringify(dataset));
  const began = performance.now();
  const { folder: made } = await compileDataset(dataset, { data: join(folder, 'undisturbed'), workers: 1 });
  return new Trials(folder, path, definition, filesOf(made), performance.now() - began);
}

/**
 * The campaign's half: as many trials as kills.
 *
 * @param {{kills: number, seed: string | number, onKill?: (result: object) => void}} options
 */
export async function compileKills({ kills, seed, onKill = () => {} }) {
  const trials = await prepareCompile(6);
  try {
    const results = [];
    for (let kill = 0; kill < kills; kill++) {
      const result = await trials.run(key(seed).fold(kill).generator());
      results.push(result);
      onKill(result);
    }
    return results;
  } finally {
    trials.close();
  }
}

class Trials {
  constructor(folder, dataset, definition, expected, milliseconds) {
    Object.assign(this, { folder, dataset, definition, expected, milliseconds });
  }

  /**
   * Begins to compile, kills, compiles again, and looks at what is there each time.
   *
   * @param {import('../../dist/base/index.js').Generator} random
   * @returns {Promise<{processes: number, workers: number, killed: number, killedAtSeconds: number, shardsThere: number, faults: string[]}>}
   */
  async run(random) {
    const data = mkdtempSync(join(this.folder, 'trial-'));
    const folder = shardFolder(this.definition, {}, data);
    const faults = [];
    const processes = 1 + random.integer(2);
    const workers = 1 + random.integer(3);
    // Of two, sometimes one lives on and is to take over what the other has begun.
    const killed = processes === 2 ? 1 + random.integer(2) : 1;
    const killedAtSeconds = (random.uniform() * this.milliseconds) / 1000;
    const running = Array.from({ length: processes }, () => this.begin(data, workers));
    await Promise.all(running.map(({ begun }) => begun));
    await sleep(killedAtSeconds * 1000);
    for (const { process } of running.slice(0, killed)) process.kill('SIGKILL');
    const ends = await Promise.all(running.map(({ ended }) => ended));
    if (ends.slice(killed).some((end) => end.code !== 0))
      faults.push(`the process that lived on failed: ${ends.at(-1).said}`);

    const shardsThere = await this.look(folder, faults, { whole: killed < processes });
    const again = await this.begin(data, workers).ended;
    if (again.code !== 0) faults.push(`the run after the kill failed: ${again.said}`);
    await this.look(folder, faults, { whole: true });
    rmSync(data, { recursive: true });
    return { processes, workers, killed, killedAtSeconds, shardsThere, faults };
  }

  begin(data, workers) {
    const process_ = spawn(process.execPath, [child, this.dataset, data, String(workers)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    process_.stderr.on('data', (text) => {
      said += text;
    });
    const begun = once(process_.stdout, 'data');
    const ended = once(process_, 'close').then(([code]) => ({ code, said: said.trim() }));
    return { process: process_, begun: Promise.race([begun, ended]), ended };
  }

  /** Every file under its final name must be whole and the same as undisturbed; afterwards nothing else may be left. */
  async look(folder, faults, { whole }) {
    const files = existsSync(folder) ? filesOf(folder) : {};
    // The lock of a killed process is not a result; its file is gone after the next run.
    const isResult = (name) => !name.endsWith('.partial') && !name.endsWith('.lock');
    const finished = Object.keys(files).filter(isResult);
    for (const name of finished) {
      if (files[name] !== this.expected[name]) faults.push(`${name} differs from the undisturbed run's`);
      if (name.endsWith('.tar')) await readShard(join(folder, name)).catch((error) => faults.push(error.message));
    }
    if (whole && String(Object.keys(files)) !== String(Object.keys(this.expected))) {
      faults.push(`the folder holds ${Object.keys(files)}`);
    }
    return finished.filter((name) => name.endsWith('.tar')).length;
  }

  close() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Digest of each file in a folder and the folders in it, by name. */
function filesOf(folder) {
  const names = readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(folder.length + 1))
    .sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}
