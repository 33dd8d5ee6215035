import { open } from 'node:fs/promises';
import { sha256 } from '../../base/index.js';

const samples = 16;
const sampleBytes = 65_536;

/**
 * Hash of a file's size and a few parts of it, spread evenly from its first byte to its last, so that a slide of
 * gigabytes need not be read to find that its shard exists.
 *
 * @throws Error when the file cannot be read
 */
export async function fingerprintOf(path: string): Promise<{ bytes: number; fingerprint: string }> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const parts: Buffer[] = [];
    for (let sample = 0; sample < samples; sample++) {
      const at = Math.round((sample / (samples - 1)) * Math.max(0, size - sampleBytes));
      const { buffer, bytesRead } = await file.read(Buffer.alloc(sampleBytes), 0, sampleBytes, at);
      parts.push(buffer.subarray(0, bytesRead));
      if (size <= sampleBytes) break;
    }
    return { bytes: size, fingerprint: sha256(Buffer.concat([Buffer.from(`${size}\n`), ...parts])) };
  } finally {
    await file.close();
  }
}
