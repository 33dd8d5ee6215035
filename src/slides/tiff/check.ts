import { checkImageSize, slideLimits } from './limits.js';
import type { Tiff, TiffDirectory } from './parse.js';

/** Holds what a TIFF claims of its images against the limits and the file's size, so that native code need not. */
export function checkTiff(tiff: Tiff): void {
  for (const [index, directory] of tiff.directories.entries()) {
    const what = `the image of directory ${index}`;
    checkImageSize(directory.width, directory.height, what);
    if (!(directory.samples >= 1 && directory.samples <= 16)) {
      throw new Error(`${what} claims ${directory.samples} values a pixel`);
    }
    // An NDPI's image is one strip of a JPEG of any length.
    if (!tiff.ndpi) checkParts(directory, tiff.fileBytes, what);
  }
}

function checkParts(directory: TiffDirectory, fileBytes: number, what: string): void {
  const { width, height, tile, samples, offsets, byteCounts } = directory;
  const kind = tile ? 'tile' : 'strip';
  if (tile && !(tile.width > 0 && tile.height > 0 && Math.max(tile.width, tile.height) <= slideLimits.tileSide)) {
    throw new Error(
      `${what} claims tiles of ${tile.width} x ${tile.height} px; at most ${slideLimits.tileSide} px along a side are allowed`,
    );
  }
  if (!(directory.rowsPerStrip > 0)) throw new Error(`${what} claims strips of ${directory.rowsPerStrip} rows`);
  const planes = directory.planar === 2 ? samples : 1;
  const parts =
    planes *
    (tile
      ? Math.ceil(width / tile.width) * Math.ceil(height / tile.height)
      : Math.ceil(height / directory.rowsPerStrip));
  if (offsets.length !== parts || byteCounts.length !== parts) {
    throw new Error(
      `${what} is ${width} x ${height} px and so has ${parts} ${kind}s, but it lists ${offsets.length} offsets and ` +
        `${byteCounts.length} lengths of ${kind}s`,
    );
  }
  const pixels = tile ? tile.width * tile.height : width * directory.rowsPerStrip;
  const bytesPerSample = Math.ceil(Math.max(...directory.bitsPerSample, 1) / 8);
  if (pixels * (samples / planes) * bytesPerSample > slideLimits.decodedBytes) {
    throw new Error(
      `${what} claims ${kind}s of ${pixels} px, more than fit in ${slideLimits.decodedBytes / 2 ** 30} GiB`,
    );
  }
  for (let part = 0; part < parts; part++) {
    const [offset, bytes] = [offsets[part]!, byteCounts[part]!];
    if (bytes > slideLimits.compressedBytes) throw new Error(`${kind} ${part} of ${what} claims ${bytes} bytes`);
    if (offset + bytes > fileBytes) {
      throw new Error(
        `is cut short: ${kind} ${part} of ${what} ends at byte ${offset + bytes}, and the file has ${fileBytes}`,
      );
    }
  }
}
