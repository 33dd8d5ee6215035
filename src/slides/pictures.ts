import { throwIfInterrupted } from '../base/index.js';
import type { PictureFacts, PictureForm, PictureLimits, PicturePlace } from './reader/messages.js';
import { type ReaderPool, readerPool } from './reader/pool.js';
import { ReaderEndedError } from './reader/reader-process.js';

export type { PictureFacts, PictureForm, PictureLimits } from './reader/messages.js';

/** Path of a picture's file, part of a file, or encoded bytes. JPEG, PNG, TIFF or WebP. */
export type PictureSource = string | { path: string; part: { offset: number; length: number } } | Uint8Array;

/** A picture's facts, and what it was asked for as: nothing where it is not as it was asked for. */
export interface ReadPicture {
  facts: PictureFacts;
  data: Uint8Array;
}

/** What became of a picture: it was read; what is wrong with it, to be read after its name; or why its file cannot be read. */
export type PictureOutcome = ReadPicture | { fault: string } | { unreadable: { code: string; message: string } };

/** What any picture may claim that is looked at whole. */
export const pictureLimits: PictureLimits = { side: 2 ** 16, pixels: 2 ** 28 };

/**
 * Of 4,000 JPEGs of 96 px one a message took 2.4 ms of CPU time each, 32 a message 1.9 ms. Large pictures come back before so
 * many are done.
 */
const picturesOfRequest = 32;

/**
 * Reads pictures in the processes that read slides, limited in time and memory as slides are: one that crashes or hangs a
 * decoder, or needs too much memory, costs itself alone. What a header claims is checked before a decoder sees it.
 *
 * @yields an outcome for each, in order
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function* readPictures(
  sources: readonly PictureSource[],
  form: PictureForm,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<PictureOutcome, void, undefined> {
  const pool = readerPool();
  // Several lists are usually read at a time.
  const maxInFlight = Math.max(2, Math.ceil(pool.size / 2));
  const inFlight: Promise<PictureOutcome[]>[] = [];
  let next = 0;
  try {
    while (next < sources.length || inFlight.length > 0) {
      throwIfInterrupted(options.signal, 'reading pictures');
      while (next < sources.length && inFlight.length < maxInFlight) {
        const request = readAll(sources.slice(next, next + picturesOfRequest), form, pool);
        // Its turn to be awaited comes later.
        request.catch(() => {});
        inFlight.push(request);
        next += picturesOfRequest;
      }
      for (const outcome of await inFlight.shift()!) yield outcome;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}

/**
 * Reads one picture as `readPictures` does.
 *
 * @param name of the picture, for the error
 * @throws Error that says what is wrong with it
 */
export async function readPicture(source: PictureSource, form: PictureForm, name: string): Promise<ReadPicture> {
  const [outcome] = await readAll([source], form, readerPool());
  return requirePicture(outcome!, name);
}

/** @throws Error that says what is wrong with the picture of that name */
export function requirePicture(outcome: PictureOutcome, name: string): ReadPicture {
  if ('facts' in outcome) return outcome;
  if ('fault' in outcome) throw new Error(`${name} ${outcome.fault}`);
  throw new Error(`${name} cannot be read: ${outcome.unreadable.message}`);
}

async function readAll(
  sources: readonly PictureSource[],
  form: PictureForm,
  pool: ReaderPool,
): Promise<PictureOutcome[]> {
  const outcomes: PictureOutcome[] = [];
  while (outcomes.length < sources.length) {
    const rest = sources.slice(outcomes.length);
    try {
      outcomes.push(...(await ask(rest, form, pool)));
    } catch (error) {
      if (!(error instanceof ReaderEndedError)) throw error;
      // One of them ended the process, or somebody else did: each is read by itself, which shows.
      for (const source of rest) outcomes.push(await readAlone(source, form, pool));
    }
  }
  return outcomes;
}

async function readAlone(source: PictureSource, form: PictureForm, pool: ReaderPool): Promise<PictureOutcome> {
  try {
    return (await ask([source], form, pool))[0]!;
  } catch (error) {
    if (!(error instanceof ReaderEndedError)) throw error;
    return { fault: `cannot be read: ${error.message}` };
  }
}

/** @returns outcomes of the first, at least one */
function ask(sources: readonly PictureSource[], form: PictureForm, pool: ReaderPool): Promise<PictureOutcome[]> {
  const given = sources.filter((source): source is Uint8Array => source instanceof Uint8Array);
  const request = { do: 'pictures' as const, places: sources.map(placeOf), form };
  return pool.run({ request, given }, pool.pictureTime, ({ pictures, read }) => {
    let at = 0;
    return pictures!.map((picture) => {
      if (!('facts' in picture)) return picture;
      const data = new Uint8Array(picture.bytes);
      read(data, at);
      at += data.length;
      return { facts: picture.facts, data };
    });
  });
}

function placeOf(source: PictureSource): PicturePlace {
  if (typeof source === 'string') return { path: source };
  return source instanceof Uint8Array ? { inSlot: source.length } : source;
}
