// A reader process: opens slides and reads from them for the process that started it, and ends with it. A slide that
// crashes or hangs a native library takes this process with it, and no other.
import { writeSync } from 'node:fs';
import type { Answer, Question, Request, SlideFile } from './messages.js';
import { type OpenFile, openFile } from './open-file.js';
import type { Pixels } from './pixels.js';
import { readBoxes } from './read-boxes.js';

/** File descriptors of the slots' shared files. */
const firstSlot = 4;

const open = new Map<number, Promise<OpenFile>>();
let scratch = Buffer.alloc(0);

/** Room for an RGB picture, used again for the next one. */
function room(width: number, height: number): Pixels {
  const bytes = width * height * 3;
  // A large picture's memory is given back.
  if (bytes > 2 ** 26) return { data: Buffer.allocUnsafeSlow(bytes), width, height };
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return { data: scratch, width, height };
}

async function answer({ slot, slide, request }: Question): Promise<Omit<Answer, 'id'>> {
  if (request.do === 'close') {
    const file = open.get(slide.key);
    open.delete(slide.key);
    await (await file?.catch(() => undefined))?.close();
    return {};
  }
  const file = await opened(slide);
  if (request.do === 'open') return { facts: file.facts };
  return { lengths: await read(file, request, firstSlot + slot) };
}

function opened(slide: SlideFile): Promise<OpenFile> {
  let file = open.get(slide.key);
  if (!file) {
    file = openFile(slide.path, slide.followLinks);
    open.set(slide.key, file);
    file.catch(() => open.delete(slide.key));
  }
  return file;
}

/** Reads into a slot's file; returns how many bytes each picture has. */
async function read(file: OpenFile, request: Request, slot: number): Promise<number[]> {
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

let last: Promise<void> = Promise.resolve();
process.on('message', (question: Question) => {
  last = last.then(async () => {
    const reply = await answer(question).catch((error: Error) => ({ error: error.message }));
    process.send?.({ id: question.id, ...reply });
  });
});
// process.exit would first wait for native calls on other threads, and one of them may hang.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
