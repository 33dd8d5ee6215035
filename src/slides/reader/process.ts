// A reader process: opens slides and images and reads them for the process that started it, and ends with it. A file
// that crashes or hangs a native library takes this process with it, and no other.
import { readSync, writeSync } from 'node:fs';
import type { RequestMessage, ResponseMessage, SlideFile, SlideRequest } from './messages.js';
import { type OpenFile, openFile, slideCaches } from './open-file.js';
import type { Pixels } from './pixels.js';
import { readBoxes } from './read-boxes.js';
import { readImages } from './read-images.js';

/** File descriptors of the slots' shared files. */
const firstSlot = 4;

const caches = slideCaches(Number(process.argv[2]));
const open = new Map<number, Promise<OpenFile>>();
let scratch = Buffer.alloc(0);

/** Room for an RGB image, used again for the next one. */
function room(width: number, height: number): Pixels {
  const bytes = width * height * 3;
  // A large image's memory is given back.
  if (bytes > 2 ** 26) return { data: Buffer.allocUnsafeSlow(bytes), width, height };
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return { data: scratch, width, height };
}

async function answer(question: RequestMessage): Promise<Omit<ResponseMessage, 'id'>> {
  const { slide, request } = question;
  const slot = firstSlot + question.slot;
  if (!slide) {
    return readImages(request, {
      read: (at, length) => readAll(slot, at, length),
      write: (data, at) => writeAll(slot, data, at),
    });
  }
  if (request.do === 'close') {
    const file = open.get(slide.key);
    open.delete(slide.key);
    await (await file?.catch(() => undefined))?.close();
    return {};
  }
  const file = await opened(slide);
  if (request.do === 'open') return { facts: file.facts };
  return { lengths: await read(file, request, slot) };
}

function opened(slide: SlideFile): Promise<OpenFile> {
  let file = open.get(slide.key);
  if (!file) {
    file = openFile(slide.path, slide.followLinks, caches);
    open.set(slide.key, file);
    file.catch(() => open.delete(slide.key));
  }
  return file;
}

/** Reads into a slot's file; returns how many bytes each image has. */
async function read(file: OpenFile, request: SlideRequest, slot: number): Promise<number[]> {
  if (request.do === 'boxes') return readBoxes(file, request, { room, write: (data, at) => writeAll(slot, data, at) });
  if (request.do !== 'region' && request.do !== 'associated') throw new Error('an unknown request');
  const size = request.do === 'region' ? request : file.facts.associatedImages[request.name]!;
  const target = room(size.width, size.height);
  if (request.do === 'region') await file.read(request.level, request.x, request.y, target);
  else await file.readAssociated(request.name, target);
  const bytes = target.width * target.height * 3;
  writeAll(slot, target.data.subarray(0, bytes), 0);
  return [bytes];
}

function writeAll(file: number, data: Buffer, at: number): void {
  for (let written = 0; written < data.length; ) {
    written += writeSync(file, data, written, data.length - written, at + written);
  }
}

function readAll(file: number, at: number, length: number): Buffer {
  const data = Buffer.allocUnsafeSlow(length);
  for (let filled = 0; filled < length; ) {
    const count = readSync(file, data, filled, length - filled, at + filled);
    if (count === 0) throw new Error('a slot holds fewer bytes than were said');
    filled += count;
  }
  return data;
}

let last: Promise<void> = Promise.resolve();
process.on('message', (question: RequestMessage) => {
  last = last.then(async () => {
    const reply = await answer(question).catch((error: Error) => ({ error: error.message }));
    process.send?.({ id: question.id, ...reply });
  });
});
// process.exit would first wait for native calls on other threads, and one of them may hang.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
