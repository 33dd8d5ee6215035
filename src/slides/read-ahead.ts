import { InterruptedError } from '../base/index.js';
import type { Slide } from './slide.js';

/** Places of one read: neighbors, which share decoded tiles. */
export const placesOfRead = 4;

export interface ReadAheadOptions {
  /** Reads in flight; by default as many as keep the reader processes busy. */
  concurrency?: number;
  signal?: AbortSignal;
}

/**
 * Reads places of a slide in the order given, ahead of who takes them.
 *
 * @param places left top corners, level-0 px
 * @param where as `Slide.readManyAt` takes it
 * @yields some places' images at a time
 * @throws InterruptedError when `signal` aborts; reads in flight end first
 */
export async function* readAhead(
  slide: Slide,
  places: readonly { x: number; y: number }[],
  where: Parameters<Slide['readManyAt']>[1],
  { concurrency = slide.parallelReads, signal }: ReadAheadOptions = {},
): AsyncGenerator<Uint8Array[]> {
  const inFlight: Promise<Uint8Array[]>[] = [];
  let next = 0;
  try {
    while (next < places.length || inFlight.length > 0) {
      while (next < places.length && inFlight.length < concurrency) {
        if (signal?.aborted) throw new InterruptedError(`reading patches of ${slide.path} was interrupted`);
        const reading = slide.readManyAt(places.slice(next, next + placesOfRead), where);
        next += placesOfRead;
        // Whoever waits for it is told; but one may fail while an earlier one is still being used, and nobody waits yet.
        reading.catch(() => {});
        inFlight.push(reading);
      }
      yield await inFlight.shift()!;
    }
  } finally {
    await Promise.allSettled(inFlight);
  }
}
