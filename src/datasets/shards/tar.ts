/**
 * Tar archives (POSIX ustar), as far as shards need them: plain files, and one comment for the whole archive. Headers
 * carry no time, owner or machine, so that equal content gives equal bytes.
 */

const block = 512;
/** Of the header's fields. */
const longestName = 100;
const longestPrefix = 155;
/** Eleven octal digits. */
const largestFile = 8 ** 11 - 1;

/** Where a file lies in an archive. */
export interface TarEntry {
  /** With its folder, separated by `/`. */
  name: string;
  /** Place of its first byte in the archive. */
  offset: number;
  /** Bytes. */
  length: number;
}

/**
 * A file as it stands in an archive: header, content, and zeros up to a whole block.
 *
 * @throws RangeError when the name could lead out of the folder that the archive is unpacked in, or does not fit
 */
export function tarFile(name: string, content: Uint8Array): Buffer {
  checkName(name);
  return Buffer.concat([header(name, content.length, '0'), content, Buffer.alloc(padding(content.length))]);
}

/** Place of a file's first byte after the start of what `tarFile` gives. */
export const tarContentOffset = block;

/** A comment on the whole archive, to stand at its start: a pax global header, which every tar program reads over. */
export function tarComment(text: string): Buffer {
  const tail = ` comment=${text}\n`;
  // The record's length counts its own digits.
  let length = Buffer.byteLength(tail);
  while (length !== String(length).length + Buffer.byteLength(tail)) {
    length = String(length).length + Buffer.byteLength(tail);
  }
  const record = Buffer.from(length + tail);
  return Buffer.concat([header('pax_global_header', record.length, 'g'), record, Buffer.alloc(padding(record.length))]);
}

/** What ends an archive. */
export function tarEnd(): Buffer {
  return Buffer.alloc(2 * block);
}

function padding(length: number): number {
  return (block - (length % block)) % block;
}

function checkName(name: string): void {
  const parts = name.split('/');
  const leadsOut = parts.some((part) => part === '' || part === '.' || part === '..');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (leadsOut || /[\\\x00-\x1f\x7f]/.test(name)) {
    throw new RangeError(
      `${JSON.stringify(name)} is not a name for a file in a shard: it could lead out of its folder`,
    );
  }
}

function header(path: string, length: number, type: '0' | 'g'): Buffer {
  if (length > largestFile) throw new RangeError(`${path} is too large for a tar archive: ${length} bytes`);
  const bytes = Buffer.alloc(block);
  const { prefix, name } = splitName(path);
  bytes.write(name, 0);
  writeOctal(bytes, 100, 8, 0o644);
  writeOctal(bytes, 108, 8, 0);
  writeOctal(bytes, 116, 8, 0);
  writeOctal(bytes, 124, 12, length);
  writeOctal(bytes, 136, 12, 0);
  bytes.write(type, 156);
  bytes.write('ustar\x0000', 257);
  writeOctal(bytes, 329, 8, 0);
  writeOctal(bytes, 337, 8, 0);
  bytes.write(prefix, 345);
  bytes.fill(' ', 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

function splitName(path: string): { prefix: string; name: string } {
  const bytes = Buffer.byteLength(path);
  if (bytes <= longestName) return { prefix: '', name: path };
  const slash = path.lastIndexOf('/');
  const prefix = path.slice(0, Math.max(0, slash));
  const name = path.slice(slash + 1);
  if (slash < 1 || Buffer.byteLength(prefix) > longestPrefix || Buffer.byteLength(name) > longestName) {
    throw new RangeError(`${path} is a name too long for a tar archive`);
  }
  return { prefix, name };
}

function writeOctal(bytes: Buffer, at: number, width: number, value: number): void {
  bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at);
}

/** What a header says. */
export interface TarHeader {
  name: string;
  length: number;
  /** A file, a comment on the archive, or the zeros at its end. */
  kind: 'file' | 'comment' | 'end';
  /** Bytes from the header's end to the next header. */
  span: number;
}

export const tarHeaderSize = block;

/**
 * Reads one header.
 *
 * @param where for errors
 * @throws Error when it is damaged, or of a kind that `tarFile` and `tarComment` do not write
 */
export function readTarHeader(bytes: Buffer, where: string): TarHeader {
  if (bytes.length < block) throw new Error(`${where} is cut off`);
  if (bytes.subarray(0, block).every((byte) => byte === 0)) return { name: '', length: 0, kind: 'end', span: 0 };
  const stored = Number.parseInt(text(bytes, 148, 8), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += bytes[at]!;
  if (stored !== sum) throw new Error(`${where} is damaged: the checksum of a header is wrong`);
  const type = String.fromCharCode(bytes[156]!);
  if (type !== '0' && type !== 'g') throw new Error(`${where} holds an entry of type "${type}", which no shard has`);
  const length = Number.parseInt(text(bytes, 124, 12), 8);
  const prefix = text(bytes, 345, 155);
  const name = prefix ? `${prefix}/${text(bytes, 0, 100)}` : text(bytes, 0, 100);
  if (type === '0') checkName(name);
  return { name, length, kind: type === '0' ? 'file' : 'comment', span: length + padding(length) };
}

/** The comment in what follows a comment's header. */
export function commentOf(record: Buffer, where: string): string {
  const match = /^\d+ comment=(.*)\n$/s.exec(record.toString('utf8'));
  if (!match) throw new Error(`${where} begins with a header that is not a comment`);
  return match[1]!;
}

function text(bytes: Buffer, at: number, width: number): string {
  const field = bytes.subarray(at, at + width);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? width : end).toString('utf8');
}
