import { type PictureSource, readPictures, requirePicture } from '../../slides/index.js';
import { hashedForm, hashOfBrightness } from '../perceptual-hash.js';

/** What is known of a picture before it is read. `null`: not known. */
export interface PictureFacts {
  id: string;
  /** The side that it is on already; null where a rule is to split. */
  side: string | null;
  slide: string | null;
  patient: string | null;
  site: string | null;
  class: string | null;
  synthetic: boolean;
}

/** A picture that was read. */
export interface AuditedPicture extends PictureFacts {
  /** Of its bytes. */
  sha256: string;
  /** See `perceptualHash`. */
  hash: Uint32Array;
}

/** Pictures that an audit is of. */
export interface AuditedPictures {
  /** What they are of, in words. */
  name: string;
  /** Those whose bytes and looks are compared. */
  pictures: readonly AuditedPicture[];
  /** The others, where a bound was set: of them slides, patients, sites and sides are known, and nothing of their bytes. */
  unread: readonly PictureFacts[];
  /** How many there are, of both. */
  total: number;
  /** Files beside them that are no pictures by their names. */
  otherFiles: number;
  /** Encoded bytes of one, by its place in `pictures`. */
  read(place: number): Promise<Uint8Array>;
}

/**
 * What an audit keeps of pictures' bytes, in order.
 *
 * @param nameOf a picture by its place, for the error
 * @throws Error when one cannot be decoded; InterruptedError when `signal` aborts
 */
export async function* fingerprints(
  sources: readonly PictureSource[],
  nameOf: (place: number) => string,
  signal?: AbortSignal,
): AsyncGenerator<Pick<AuditedPicture, 'sha256' | 'hash'>, void, undefined> {
  let place = 0;
  for await (const outcome of readPictures(sources, hashedForm, { signal })) {
    const { facts, data } = requirePicture(outcome, nameOf(place++));
    yield { sha256: facts.sha256!, hash: hashOfBrightness(data) };
  }
}
