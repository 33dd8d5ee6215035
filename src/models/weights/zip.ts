import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { readBytes } from '../../engine/index.js';

/*
 * The zip archives of PyTorch and NumPy (PKWARE's APPNOTE.TXT): members as they are or deflated, also beyond 4 GiB.
 */

export interface ZipMember {
  /** Bytes of its content. */
  size: number;
  /** Whether `read` of a part costs no more than the part. */
  stored: boolean;
  /** A part of its content; all by default. */
  read(begin?: number, end?: number): Promise<ArrayBuffer>;
}

const signatures = { end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50, entry: 0x02014b50, member: 0x04034b50 };
/** What stands in 32 bits where 64 are needed. */
const elsewhere = 0xffffffff;

/**
 * The members of an archive by name.
 *
 * @throws Error that says what is wrong, without the file's name
 */
export async function zipMembers(file: FileHandle, path: string): Promise<Map<string, ZipMember>> {
  const { size } = await file.stat();
  const read = async (begin: number, length: number) => {
    if (!(begin >= 0 && length >= 0 && begin + length <= size))
      throw new Error(`its zip archive points behind its end`);
    return Buffer.from(await readBytes(file, path, begin, length));
  };
  const { begin, length, count } = await findDirectory(read, size);
  const directory = await read(begin, length);
  const members = new Map<string, ZipMember>();
  let place = 0;
  for (let entry = 0; entry < count; entry++) {
    if (place + 46 > length || directory.readUInt32LE(place) !== signatures.entry) {
      throw new Error(`its zip archive's list ends after ${entry} of ${count} members`);
    }
    const [flags, method] = [directory.readUInt16LE(place + 8), directory.readUInt16LE(place + 10)];
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((at) => directory.readUInt16LE(place + at)) as [
      number,
      number,
      number,
    ];
    const end = place + 46 + nameLength + extraLength + commentLength;
    if (end > length) throw new Error(`its zip archive's list ends within member ${entry}`);
    const name = directory.toString('utf8', place + 46, place + 46 + nameLength);
    const extra = directory.subarray(place + 46 + nameLength, place + 46 + nameLength + extraLength);
    const [packed, content, header] = sizesOf(directory, place, extra);
    if (flags & 1) throw new Error(`its member ${name} is encrypted`);
    if (method !== 0 && method !== 8) throw new Error(`its member ${name} is compressed by method ${method}`);
    if (method === 0 && packed !== content) throw new Error(`its member ${name} has two sizes`);
    if (members.has(name)) throw new Error(`its member ${name} occurs twice`);
    members.set(name, {
      size: content,
      stored: method === 0,
      async read(begin = 0, end = content) {
        const local = await read(header, 30);
        if (local.readUInt32LE(0) !== signatures.member)
          throw new Error(`its member ${name} is not where its list says`);
        const data = header + 30 + local.readUInt16LE(26) + local.readUInt16LE(28);
        if (method === 0) return exactly(await read(data + begin, end - begin));
        return exactly((await inflate(await read(data, packed), content, name)).subarray(begin, end));
      },
    });
    place = end;
  }
  return members;
}

async function findDirectory(read: (begin: number, length: number) => Promise<Buffer>, size: number) {
  // A comment of at most 64 KiB may follow.
  const tailBegin = Math.max(0, size - 22 - 0xffff);
  const tail = await read(tailBegin, size - tailBegin);
  let at = tail.length - 22;
  while (at >= 0 && tail.readUInt32LE(at) !== signatures.end) at--;
  if (at < 0) throw new Error('its zip archive has no end: it may not have arrived whole');
  const [count, length, begin] = [tail.readUInt16LE(at + 10), tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
  if (at < 20 || tail.readUInt32LE(at - 20) !== signatures.locator64) return { count, length, begin };
  const end64 = await read(Number(tail.readBigUInt64LE(at - 12)), 56);
  if (end64.readUInt32LE(0) !== signatures.end64) throw new Error('its zip archive is damaged at its end');
  const [count64, length64, begin64] = [32, 40, 48].map((place) => Number(end64.readBigUInt64LE(place)));
  return { count: count64!, length: length64!, begin: begin64! };
}

/** Bytes in the archive, bytes of content, and place of a member; those too large for 32 bits stand in an extra field. */
function sizesOf(directory: Buffer, place: number, extra: Buffer): [number, number, number] {
  const [packed, content, header] = [20, 24, 42].map((at) => directory.readUInt32LE(place + at)) as [
    number,
    number,
    number,
  ];
  if (![packed, content, header].includes(elsewhere)) return [packed, content, header];
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    const large = extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
    let next = 0;
    const wide = (value: number) => {
      if (value !== elsewhere) return value;
      if (next + 8 > large.length) throw new Error('its zip archive lacks the size of a large member');
      next += 8;
      return Number(large.readBigUInt64LE(next - 8));
    };
    // In the field the content's size comes first.
    const wideContent = wide(content);
    return [wide(packed), wideContent, wide(header)];
  }
  throw new Error('its zip archive lacks the size of a large member');
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
