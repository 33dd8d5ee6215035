/** Numbers of the tags in TIFF 6.0 (Adobe, 1992), section 8. */
const imageDescription = 270;
const ascii = 2;
const entryBytes = 12;

/**
 * Gives a TIFF an ImageDescription, which sharp does not write: the first image's directory is written again at the
 * end of the file with one more entry.
 *
 * @param tiff a little-endian classic TIFF without an ImageDescription
 */
export function withImageDescription(tiff: Buffer, text: string): Buffer {
  if (tiff.toString('latin1', 0, 4) !== 'II*\0') {
    throw new Error('cannot describe this file: it is not a classic little-endian TIFF');
  }
  const directory = tiff.readUInt32LE(4);
  const entryCount = tiff.readUInt16LE(directory);
  const entriesEnd = directory + 2 + entryCount * entryBytes;
  const entries = Array.from({ length: entryCount }, (_, index) => {
    const start = directory + 2 + index * entryBytes;
    return tiff.subarray(start, start + entryBytes);
  });
  if (entries.some((entry) => entry.readUInt16LE(0) === imageDescription)) {
    throw new Error('cannot describe this file: it has an ImageDescription already');
  }

  const words = Buffer.from(`${text}\0`, 'latin1');
  // Directories and values start at even offsets.
  const textStart = tiff.length + (tiff.length % 2);
  const directoryStart = textStart + words.length + (words.length % 2);
  const described = Buffer.alloc(entryBytes);
  described.writeUInt16LE(imageDescription, 0);
  described.writeUInt16LE(ascii, 2);
  described.writeUInt32LE(words.length, 4);
  described.writeUInt32LE(textStart, 8);
  entries.push(described);
  entries.sort((one, other) => one.readUInt16LE(0) - other.readUInt16LE(0));

  const result = Buffer.alloc(directoryStart + 2 + entries.length * entryBytes + 4);
  tiff.copy(result);
  result.writeUInt32LE(directoryStart, 4);
  words.copy(result, textStart);
  result.writeUInt16LE(entries.length, directoryStart);
  Buffer.concat(entries).copy(result, directoryStart + 2);
  tiff.copy(result, result.length - 4, entriesEnd, entriesEnd + 4);
  return result;
}
