import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  canonicalJson,
  digestOfFile,
  InterruptedError,
  inParallel,
  type Key,
  projectRoot,
  sha256,
  sha256OfTree,
} from '../runs/index.js';
import {
  type SyntheticSlideFile,
  type SyntheticSlideOptions,
  syntheticGeneratorVersion,
  syntheticRecordPath,
  syntheticSlideSettings,
  writeSyntheticSlide,
} from '../slides/index.js';
import type { SlideSource } from './slide-source.js';

export interface SyntheticCohortOptions extends SyntheticSlideOptions {
  /** How many slides. */
  slides: number;
  /** Where the slides go; by default `data/synthetic/<hash of all that decides their pixels>`. */
  folder?: string;
}

export interface SyntheticCohort {
  folder: string;
  slides: readonly SlideSource[];
}

/** Slides drawn at a time: one is being compressed off the main thread while the next is drawn. */
const slidesInFlight = 2;

/**
 * Draws synthetic slides, each with a stain and a style of its own. Slides that an earlier call finished with the same
 * settings, key and generator are kept.
 *
 * @throws InterruptedError when `signal` aborts; what is finished stays
 */
export async function syntheticCohort(
  options: SyntheticCohortOptions,
  key: Key,
  watch: { onProgress?: (done: number, total: number) => void; signal?: AbortSignal } = {},
): Promise<SyntheticCohort> {
  const { slides: count, folder: asked, ...slideOptions } = options;
  if (!(Number.isSafeInteger(count) && count > 0 && count < 10_000)) {
    throw new RangeError(`slides must be a whole number from 1 to 9999; got ${count}`);
  }
  const folder = asked ?? join(projectRoot, 'data', 'synthetic', cohortHash(slideOptions, key));
  let done = 0;
  const drawInTurn = async (index: number) => {
    if (watch.signal?.aborted) {
      throw new InterruptedError(`drawing synthetic slides was interrupted; ${done} of ${count} are in ${folder}`);
    }
    const slide = await slideOf(folder, index, slideOptions, key, watch.signal);
    watch.onProgress?.(++done, count);
    return slide;
  };
  return { folder, slides: await inParallel([...new Array(count).keys()], drawInTurn, slidesInFlight) };
}

async function slideOf(
  folder: string,
  index: number,
  options: SyntheticSlideOptions,
  key: Key,
  signal: AbortSignal | undefined,
): Promise<SlideSource> {
  const id = `synthetic-${String(index + 1).padStart(2, '0')}`;
  const path = join(folder, `${id}.tif`);
  const itsKey = key.fold('slide').fold(index);
  const record =
    (await finishedSlide(path, options, itsKey)) ?? (await writeSyntheticSlide(path, options, itsKey, signal));
  return {
    id,
    path,
    synthetic: true,
    licence: 'none needed: drawn by this program',
    origin: `synthetic, drawn by pathlab (generator ${record.generatorVersion})`,
    sha256: record.file.sha256,
    record,
  };
}

/**
 * The record of a slide that lies there whole; undefined where there is none, or it is damaged and is to be drawn again.
 *
 * @throws Error when the slide there was made otherwise than is asked now
 */
async function finishedSlide(
  path: string,
  options: SyntheticSlideOptions,
  key: Key,
): Promise<SyntheticSlideFile | undefined> {
  const recordPath = syntheticRecordPath(path);
  if (!existsSync(recordPath) || !existsSync(path)) return undefined;
  const record = parseRecord(await readFile(recordPath, 'utf8'));
  if (!record) return undefined;
  const asked = { key: key.toString(), generatorVersion: syntheticGeneratorVersion };
  const made = { key: record.key, generatorVersion: record.generatorVersion };
  if (canonicalJson([made, record.options]) !== canonicalJson([asked, syntheticSlideSettings(options)])) {
    throw new Error(`${path} was made with another seed, other settings or another generator; choose another folder`);
  }
  return record.file.sha256 === (await digestOfFile(path)) ? record : undefined;
}

function parseRecord(text: string): SyntheticSlideFile | undefined {
  try {
    const record = JSON.parse(text) as Partial<SyntheticSlideFile>;
    return record.synthetic && record.file && record.options ? (record as SyntheticSlideFile) : undefined;
  } catch {
    return undefined;
  }
}

/** Names a cohort by all that decides its pixels, the drawing code among it. */
function cohortHash(options: SyntheticSlideOptions, key: Key): string {
  const code = sha256OfTree(join(projectRoot, 'src', 'slides', 'synthetic'));
  const generator = syntheticGeneratorVersion;
  return sha256(
    canonicalJson({ options: syntheticSlideSettings(options), key: key.toString(), generator, code }),
  ).slice(0, 12);
}
