import { type ImageSource, readImageFiles, requireImage } from '../../slides/index.js';
import { hashedForm, hashOfBrightness } from '../perceptual-hash.js';

/** What is known of an image before it is read. `null`: not known. */
export interface ImageFacts {
  id: string;
  /** Its existing split; null if a rule is to split. */
  split: string | null;
  slide: string | null;
  patient: string | null;
  site: string | null;
  class: string | null;
  synthetic: boolean;
}

/** An image that was read. */
export interface AuditedImage extends ImageFacts {
  /** Of its bytes. */
  sha256: string;
  /** See `perceptualHash`. */
  hash: Uint32Array;
}

/** The images of an audit. */
export interface AuditedImages {
  /** What they are of, in words. */
  name: string;
  /** Those whose bytes and looks are compared. */
  images: readonly AuditedImage[];
  /** The others, if a limit was set: their slides, patients, sites and splits are known, but not their bytes. */
  unread: readonly ImageFacts[];
  /** How many there are, of both. */
  total: number;
  /** Other files, without an image's extension. */
  otherFiles: number;
  /** Encoded bytes of one, by its place in `images`. */
  read(place: number): Promise<Uint8Array>;
}

/**
 * What an audit keeps of images' bytes, in order.
 *
 * @param nameOf an image by its place, for the error
 * @throws Error when one cannot be decoded; InterruptedError when `signal` aborts
 */
export async function* fingerprints(
  sources: readonly ImageSource[],
  nameOf: (place: number) => string,
  signal?: AbortSignal,
): AsyncGenerator<Pick<AuditedImage, 'sha256' | 'hash'>, void, undefined> {
  let place = 0;
  for await (const outcome of readImageFiles(sources, hashedForm, { signal })) {
    const { facts, data } = requireImage(outcome, nameOf(place++));
    yield { sha256: facts.sha256!, hash: hashOfBrightness(data) };
  }
}
