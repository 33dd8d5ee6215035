import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { synth } from '../../src/cli/synth.js';
import { syntheticCohort } from '../../src/datasets/index.js';
import { key, sha256 } from '../../src/runs/index.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-cohort-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const options = () => ({ slides: 3, columns: 1, rows: 1, blockPatches: 1, umPerPixel: 1, kinds: ['nested'], folder });
const hashes = () =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, sha256(readFileSync(join(folder, name)))]));

describe('syntheticCohort', () => {
  it('draws slides with a look of their own, and the same again', async () => {
    const progress: [number, number][] = [];
    const cohort = await syntheticCohort(options(), key(1), { onProgress: (done, of) => progress.push([done, of]) });
    expect(cohort.slides.map((slide) => slide.id)).toEqual(['synthetic-01', 'synthetic-02', 'synthetic-03']);
    expect(progress).toEqual([1, 2, 3].map((done) => [done, 3]));
    expect(cohort.slides.every((slide) => slide.synthetic && /synthetic/.test(slide.origin))).toBe(true);
    const stains = cohort.slides.map((slide) => JSON.stringify(slide.record!.stain));
    expect(new Set(stains).size).toBe(3);
    const first = hashes();
    expect(Object.keys(first).length).toBe(6);
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
    await syntheticCohort(options(), key(1));
    expect(hashes()).toEqual(first);
  });

  it('goes on where it was stopped, keeps what is whole and draws again what is damaged', async () => {
    const stop = new AbortController();
    const stopped = syntheticCohort(options(), key(1), { onProgress: () => stop.abort(), signal: stop.signal });
    await expect(stopped).rejects.toMatchObject({ name: 'InterruptedError' });
    expect(readdirSync(folder).some((name) => name.endsWith('.partial'))).toBe(false);
    const { slides } = await syntheticCohort(options(), key(1));
    const undisturbed = hashes();

    const written = slides.map((slide) => statSync(slide.path).mtimeMs);
    const damaged = Buffer.from(readFileSync(slides[1]!.path));
    damaged[2000]! ^= 255;
    writeFileSync(slides[1]!.path, damaged);
    writeFileSync(join(folder, 'synthetic-03.json'), '{"half');
    const again = await syntheticCohort(options(), key(1));
    expect(hashes()).toEqual(undisturbed);
    expect(statSync(again.slides[0]!.path).mtimeMs).toBe(written[0]);
    expect(again.slides).toEqual(slides);
  });

  it('does not mix slides of other settings into a folder', async () => {
    await syntheticCohort(options(), key(1));
    await expect(syntheticCohort({ ...options(), rows: 2 }, key(1))).rejects.toThrow(/choose another folder/);
    await expect(syntheticCohort(options(), key(2))).rejects.toThrow(/another seed/);
  });

  it('refuses a number of slides that is none', async () => {
    await expect(syntheticCohort({ ...options(), slides: 0 }, key(1))).rejects.toThrow(/slides must be/);
  });
});

describe('pathlab synth', () => {
  const words = (text: string) => text.split(' ');

  it('writes the slides that syntheticCohort draws', async () => {
    const given = '--slides 2 --seed 1 --columns 1 --rows 1 --block 1 --mpp 1 --kinds nested';
    expect(await synth([...words(given), '--out', folder])).toBe(0);
    const written = hashes();
    const cohort = await syntheticCohort({ ...options(), slides: 2 }, key(1));
    expect(hashes()).toEqual(written);
    expect(cohort.slides.length).toBe(2);
  });

  it('says what is wrong with what it was given', async () => {
    await expect(synth([])).rejects.toThrow(/needs --out FOLDER/);
    await expect(synth(words('--out x --oot y'))).rejects.toThrow(/'--oot'.* \(see pathlab synth --help\)$/);
    await expect(synth(words('--out x --slides many'))).rejects.toThrow(/--slides takes a whole number.*"many"/);
    await expect(synth(words('--out x --mpp fine'))).rejects.toThrow(/--mpp takes a number above 0; got "fine"/);
    await expect(synth(words('--out x --kinds bone'))).rejects.toThrow(/no tissue kind "bone"/);
    await expect(synth(words('--oot x'))).rejects.toThrow(/--oot/);
  });
});
