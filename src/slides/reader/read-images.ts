import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { decodeImage, isOutOfMemory } from './decode-image.js';
import { asFile, checkHeader, ImageError } from './image-header.js';
import type { ImageAnswer, ImageLocation, ImagesRequest } from './messages.js';

/** A file up to this size is read once and whole; a larger one is read by the decoder, which need not hold all of it. */
const wholeBytes = 2 ** 28;
/** A header lies within this much of a file's start; TIFF's is found wherever it is. */
const headerBytes = 2 ** 20;
/** When images have come to this, the others are left for another answer: bytes, and milliseconds. */
const enoughBytes = 2 ** 23;
const enoughTime = 5000;

/**
 * Reads images one after the other.
 *
 * @param slot.read reads what the asking process put into the slot
 * @param slot.write writes an image there
 * @returns what became of the first images, at least one, and where in the slot each begins
 */
export async function readImages(
  { places, form }: ImagesRequest,
  slot: { read(at: number, length: number): Buffer; write(data: Buffer, at: number): void },
): Promise<{ images: ImageAnswer[]; lengths: number[] }> {
  const began = performance.now();
  const images: ImageAnswer[] = [];
  const lengths: number[] = [];
  let from = 0;
  const given = places.map((place) => {
    if (!('inSlot' in place)) return undefined;
    from += place.inSlot;
    return slot.read(from - place.inSlot, place.inSlot);
  });
  let at = 0;
  for (const [index, place] of places.entries()) {
    if (index > 0 && (at > enoughBytes || performance.now() - began > enoughTime)) break;
    const answer = await readOne(place, given[index], form).catch(faultOf);
    const data = 'data' in answer ? answer.data : undefined;
    if (data) slot.write(data, at);
    at += data?.length ?? 0;
    lengths.push(data?.length ?? 0);
    images.push('data' in answer ? { facts: answer.facts, bytes: data?.length ?? 0 } : answer);
  }
  return { images, lengths };
}

async function readOne(place: ImageLocation, given: Buffer | undefined, form: ImagesRequest['form']) {
  if (given) return readBytes(given, form);
  const { path, part } = place as Extract<ImageLocation, { path: string }>;
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    if (part) return await readBytes(await readPart(file, part), form);
    const facts = await file.stat();
    if (!facts.isFile()) throw new ImageError('is not a file');
    if (facts.size === 0) throw new ImageError('is empty (0 bytes)');
    if (facts.size <= wholeBytes) return await readBytes(await readPart(file, { offset: 0, length: facts.size }), form);
    // Of these the bytes themselves are wanted.
    if (form.as === 'jpeg' || form.as === 'png' || (form.as === 'gray' && form.of === 'image')) {
      throw new ImageError(`is too large for a patch: ${facts.size} bytes`);
    }
    await checkHeader(await readPart(file, { offset: 0, length: headerBytes }), file, form.limits);
    return await decodeImage(path, form);
  } finally {
    await file.close();
  }
}

async function readBytes(bytes: Buffer, form: ImagesRequest['form']) {
  await checkHeader(bytes, asFile(bytes), form.limits);
  const { facts, data } = await decodeImage(bytes, form);
  return { facts: form.as === 'gray' ? { ...facts, sha256: sha256(bytes) } : facts, data };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function readPart(file: FileHandle, { offset, length }: { offset: number; length: number }): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new ImageError('became shorter while it was read');
    filled += bytesRead;
  }
  return bytes;
}

function faultOf(error: NodeJS.ErrnoException): ImageAnswer {
  if (isOutOfMemory(error)) return { fault: 'needs more memory than a reader process may have' };
  if (error instanceof ImageError) return { fault: error.message };
  return { unreadable: { code: error.code ?? '', message: error.message } };
}
