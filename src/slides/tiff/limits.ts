/** What a slide may claim. Native code is given nothing beyond these, whatever its own limits. */
export const slideLimits = {
  /** Of a TIFF: each level, label or thumbnail is one. */
  directories: 512,
  entriesOfDirectory: 4096,
  /** Of one list of numbers or text in a TIFF. */
  bytesOfValue: 2 ** 28,
  levels: 64,
  /** Pixels along a side, and in all, of a level. */
  side: 2 ** 21,
  pixels: 2 ** 38,
  /** Along a side of a tile. */
  tileSide: 2 ** 13,
  /** Of one tile or strip, compressed and not. */
  compressedBytes: 2 ** 27,
  decodedBytes: 2 ** 30,
} as const;

/** Throws where an image in a slide claims to be larger than any is. */
export function checkImageSize(width: number, height: number, what: string): void {
  const { side, pixels } = slideLimits;
  if (width > 0 && height > 0 && width <= side && height <= side && width * height <= pixels) return;
  throw new Error(
    `${what} claims to be ${width} x ${height} px; a slide has 1 to ${side} px along a side and at most 2^${Math.log2(pixels)} in all`,
  );
}
