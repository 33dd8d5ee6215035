import { sha256 } from '../../runs/index.js';
import { perceptualHash } from '../perceptual-hash.js';

/** A picture as an audit knows it. `null`: not known. */
export interface AuditedPicture {
  id: string;
  /** The side that it is on already; null where a rule is to divide. */
  side: string | null;
  slide: string | null;
  patient: string | null;
  site: string | null;
  class: string | null;
  synthetic: boolean;
  /** Of its bytes. */
  sha256: string;
  /** See `perceptualHash`. */
  hash: Uint32Array;
}

/** Pictures that an audit compares. */
export interface AuditedPictures {
  /** What they are of, in words. */
  name: string;
  pictures: readonly AuditedPicture[];
  /** How many there are: more than are compared where a bound was set. */
  total: number;
  /** Files beside them that are no pictures by their names. */
  otherFiles: number;
  /** Encoded bytes of one, by its place in `pictures`. */
  read(place: number): Promise<Uint8Array>;
}

/**
 * What an audit keeps of a picture's bytes.
 *
 * @param name for the error
 * @throws Error when it cannot be decoded
 */
export async function fingerprints(bytes: Uint8Array, name: string): Promise<Pick<AuditedPicture, 'sha256' | 'hash'>> {
  const hash = await perceptualHash(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).catch(
    (error: Error) => {
      throw new Error(`${name} is no picture that can be read: ${error.message}`);
    },
  );
  return { sha256: sha256(bytes), hash };
}
