import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { fromFdPromise } from 'yauzl';
import { readBytes } from '../../engine/index.js';

/*
 * The zip archives of PyTorch and NumPy: members as they are or deflated, also beyond 4 GiB.
 */

export interface ZipMember {
  /** Bytes of its content. */
  size: number;
  /** Whether `read` of a part costs no more than the part. */
  stored: boolean;
  /** A part of its content; all by default. */
  read(begin?: number, end?: number): Promise<ArrayBuffer>;
}

/**
 * The members of an archive by name.
 *
 * @throws Error that says what is wrong, without the file's name
 */
export async function zipMembers(file: FileHandle, path: string): Promise<Map<string, ZipMember>> {
  const damaged = (error: Error): never => {
    throw new Error(`its zip archive is damaged or incomplete: ${error.message}`, { cause: error });
  };
  const archive = await fromFdPromise(file.fd, { autoClose: false }).catch(damaged);
  const members = new Map<string, ZipMember>();
  const entries = archive.eachEntry();
  for (;;) {
    const next = await entries.next().catch(damaged);
    if (next.done) return members;
    const entry = next.value;
    const { fileName: name, compressedSize, uncompressedSize: size, compressionMethod } = entry;
    if (entry.isEncrypted()) throw new Error(`its member ${name} is encrypted`);
    if (!entry.canDecodeFileData()) {
      throw new Error(`its member ${name} is compressed by method ${compressionMethod}`);
    }
    if (members.has(name)) throw new Error(`its member ${name} occurs twice`);
    const stored = compressionMethod === 0;
    members.set(name, {
      size,
      stored,
      async read(begin = 0, end = size) {
        const header = archive.readLocalFileHeaderPromise(entry, { minimal: true });
        const { fileDataStart: start } = await header.catch(damaged);
        if (stored) return readBytes(file, path, start + begin, end - begin);
        const packed = Buffer.from(await readBytes(file, path, start, compressedSize));
        return exactly((await inflate(packed, size, name)).subarray(begin, end));
      },
    });
  }
}

/** Never more than the archive's list says. */
async function inflate(packed: Buffer, size: number, name: string): Promise<Buffer> {
  const content = await promisify(inflateRaw)(packed, { maxOutputLength: Math.max(1, size) }).catch((error: Error) => {
    throw new Error(`its member ${name} does not unpack: ${error.message}`);
  });
  if (content.length !== size) throw new Error(`its member ${name} unpacks to ${content.length} bytes, not to ${size}`);
  return content;
}

/** A buffer of its own, without what lies around it. */
function exactly(bytes: Buffer): ArrayBuffer {
  if (bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer;
  return new Uint8Array(bytes).buffer;
}
