import { throwIfInterrupted } from '../base/index.js';
import type { ImageFacts, ImageForm, ImageLimits, ImageLocation } from './reader/messages.js';
import { type ReaderPool, readerPool } from './reader/pool.js';
import { ReaderEndedError } from './reader/reader-process.js';

export type { ImageFacts, ImageForm, ImageLimits } from './reader/messages.js';

/** Path of an image's file, part of a file, or encoded bytes. JPEG, PNG, TIFF or WebP. */
export type ImageSource = string | { path: string; part: { offset: number; length: number } } | Uint8Array;

/** An image's facts, and what it was asked for as: nothing where it is not as it was asked for. */
export interface DecodedImage {
  facts: ImageFacts;
  data: Uint8Array;
}

/** What became of an image: it was read; what is wrong with it, to be read after its name; or why its file cannot be read. */
export type ImageOutcome = DecodedImage | { fault: string } | { unreadable: { code: string; message: string } };

/** What any image may claim that is looked at whole. */
export const imageLimits: ImageLimits = { side: 2 ** 16, pixels: 2 ** 28 };

/**
 * Of 4,000 JPEGs of 96 px one a message took 2.4 ms of CPU time each, 32 a message 1.9 ms. Large images come back before so
 * many are done.
 */
const maxImagesOfRequest = 32;

/**
 * Reads images in the processes that read slides, limited in time and memory as slides are: one that crashes or hangs a
 * decoder, or needs too much memory, costs itself alone. What a header claims is checked before a decoder sees it.
 *
 * @yields an outcome for each, in order
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function* readImageFiles(
  sources: readonly ImageSource[],
  form: ImageForm,
  options: { signal?: AbortSignal } = {},
): AsyncGenerator<ImageOutcome, void, undefined> {
  const pool = readerPool();
  // Several lists are usually read at a time.
  const maxInFlight = Math.max(2, Math.ceil(pool.size / 2));
  const inFlight: Promise<ImageOutcome[]>[] = [];
  let next = 0;
  try {
    while (next < sources.length || inFlight.length > 0) {
      throwIfInterrupted(options.signal, 'reading images');
      while (next < sources.length && inFlight.length < maxInFlight) {
        const request = readAll(sources.slice(next, next + maxImagesOfRequest), form, pool);
        // Its turn to be awaited comes later.
        request.catch(() => {});
        inFlight.push(request);
        next += maxImagesOfRequest;
      }
      for (const outcome of await inFlight.shift()!) yield outcome;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}

/**
 * Reads one image as `readImageFiles` does.
 *
 * @param name of the image, for the error
 * @throws Error that says what is wrong with it
 */
export async function readImageFile(source: ImageSource, form: ImageForm, name: string): Promise<DecodedImage> {
  const [outcome] = await readAll([source], form, readerPool());
  return requireImage(outcome!, name);
}

/** @throws Error that says what is wrong with the image of that name */
export function requireImage(outcome: ImageOutcome, name: string): DecodedImage {
  if ('facts' in outcome) return outcome;
  if ('fault' in outcome) throw new Error(`${name} ${outcome.fault}`);
  throw new Error(`${name} cannot be read: ${outcome.unreadable.message}`);
}

async function readAll(sources: readonly ImageSource[], form: ImageForm, pool: ReaderPool): Promise<ImageOutcome[]> {
  const outcomes: ImageOutcome[] = [];
  while (outcomes.length < sources.length) {
    const rest = sources.slice(outcomes.length);
    try {
      outcomes.push(...(await requestImages(rest, form, pool)));
    } catch (error) {
      if (!(error instanceof ReaderEndedError)) throw error;
      // One of them ended the process, or somebody else did: each is read by itself, which shows.
      for (const source of rest) outcomes.push(await readAlone(source, form, pool));
    }
  }
  return outcomes;
}

async function readAlone(source: ImageSource, form: ImageForm, pool: ReaderPool): Promise<ImageOutcome> {
  try {
    return (await requestImages([source], form, pool))[0]!;
  } catch (error) {
    if (!(error instanceof ReaderEndedError)) throw error;
    return { fault: `cannot be read: ${error.message}` };
  }
}

/** @returns outcomes of the first, at least one */
function requestImages(sources: readonly ImageSource[], form: ImageForm, pool: ReaderPool): Promise<ImageOutcome[]> {
  const given = sources.filter((source): source is Uint8Array => source instanceof Uint8Array);
  const request = { do: 'images' as const, places: sources.map(placeOf), form };
  return pool.run({ request, given }, pool.imageTime, ({ images, read }) => {
    let at = 0;
    return images!.map((image) => {
      if (!('facts' in image)) return image;
      const data = new Uint8Array(image.bytes);
      read(data, at);
      at += data.length;
      return { facts: image.facts, data };
    });
  });
}

function placeOf(source: ImageSource): ImageLocation {
  if (typeof source === 'string') return { path: source };
  return source instanceof Uint8Array ? { inSlot: source.length } : source;
}
