import { crc32, deflateSync } from 'node:zlib';

/** A PNG as its specification has it, of any depth and of color type 0 (gray) or 3 (palette). */
export function pngFile(
  width: number,
  values: readonly number[],
  { depth, palette }: { depth: 1 | 2 | 4 | 8; palette?: readonly (readonly [number, number, number])[] },
): Buffer {
  const height = values.length / width;
  const rows = Array.from({ length: height }, (_, row) => {
    const bytes = Buffer.alloc(1 + Math.ceil((width * depth) / 8));
    for (let column = 0; column < width; column++) {
      const bit = column * depth;
      bytes[1 + (bit >> 3)]! |= values[row * width + column]! << (8 - depth - (bit & 7));
    }
    return bytes;
  });
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, palette ? 3 : 0], 8);
  return Buffer.concat([
    Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
    chunk('IHDR', header),
    ...(palette ? [chunk('PLTE', Buffer.from(palette.flat()))] : []),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, content: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(name, 'latin1'), content]);
  const [length, checksum] = [content.length, crc32(body)].map((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  });
  return Buffer.concat([length!, body, checksum!]);
}
