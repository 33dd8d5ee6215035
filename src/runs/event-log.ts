import { createReadStream } from 'node:fs';
import { appendFile, type FileHandle, mkdir, open, stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../base/files.js';

/** One line of `events.jsonl`. */
export interface RunEvent {
  kind: string;
  /** ISO 8601, set when the event is logged. */
  time?: string;
  [field: string]: unknown;
}

const newline = 0x0a;

/**
 * A file with one JSON object per line, which is only appended to or truncated to a checkpoint, by one process at a
 * time.
 */
export class EventLog {
  private lines: string[] = [];
  /** Resolves when the lines so far are in the file. */
  private written: Promise<void> = Promise.resolve();
  /** Length in bytes when the lines so far are in the file. */
  private end: number;
  /** Offset of this process's first line. */
  private begin: number;

  private constructor(
    readonly path: string,
    end: number,
  ) {
    this.end = end;
    this.begin = end;
  }

  /** Opens or creates a log. An incomplete last line of a killed process is removed. */
  static async open(path: string): Promise<EventLog> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(path, 'a+');
    try {
      const end = await endOfLastLine(file);
      await file.truncate(end);
      await syncFolder(dirname(path));
      return new EventLog(path, end);
    } finally {
      await file.close();
    }
  }

  /**
   * Logs an event after all earlier ones. Events during a write go into the next write together. Once a write has
   * failed, every later call fails with the same error, so that the log never has a gap.
   */
  append(event: RunEvent): Promise<void> {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;
    this.end += Buffer.byteLength(line);
    this.lines.push(line);
    if (this.lines.length === 1) this.written = this.written.then(() => this.write());
    return this.written;
  }

  /**
   * Waits until all events so far are on disk.
   *
   * @returns length of the log in bytes after the last of them, which a checkpoint keeps for `cutTo`
   */
  async sync(): Promise<number> {
    const { end } = this;
    await this.written;
    const file = await open(this.path, 'a');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    return end;
  }

  /**
   * Removes events after a checkpoint, before training resumes from it. Events that this process has logged are kept if
   * the checkpoint is older.
   *
   * @param end length of the log in bytes when the checkpoint was saved
   * @throws Error if no line ends there: this is not the checkpoint's log
   */
  async cutTo(end: number): Promise<void> {
    await this.written;
    await this.requireLineEnd(end);
    this.written = this.written.then(() => this.cut(end));
    await this.written;
  }

  private async write(): Promise<void> {
    const text = this.lines.join('');
    this.lines = [];
    await appendFile(this.path, text);
  }

  private async requireLineEnd(end: number): Promise<void> {
    const found =
      end > this.end
        ? `has ${this.end} bytes, fewer than the ${end} that it had when the checkpoint was saved`
        : end > 0 && (await readBytes(this.path, end - 1, end))[0] !== newline
          ? `has no line that ends at byte ${end}, where the checkpoint was saved`
          : undefined;
    if (found) {
      throw new Error(`${this.path} ${found}; restore the log, or delete the checkpoint and the log to start over`);
    }
  }

  private async cut(end: number): Promise<void> {
    const { size } = await stat(this.path);
    const next = end < this.begin ? this.begin : size;
    const kept = await readBytes(this.path, next, size);
    await truncate(this.path, end);
    await appendFile(this.path, kept);
    this.begin = Math.min(this.begin, end);
    this.end -= next - end;
  }
}

/**
 * The events of a log, read block by block. An incomplete last line is ignored.
 *
 * @param options.kind only events of this kind
 * @throws Error naming the line that is not an event
 */
export async function* readEvents(path: string, options: { kind?: string } = {}): AsyncGenerator<RunEvent> {
  let number = 0;
  let rest = '';
  for await (const block of createReadStream(path, 'utf8')) {
    const lines = (rest + block).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const event = parseEvent(line, `${path}, line ${++number}`);
      if (options.kind === undefined || event.kind === options.kind) yield event;
    }
  }
}

function parseEvent(line: string, place: string): RunEvent {
  let event: Partial<RunEvent> | null;
  try {
    event = JSON.parse(line);
  } catch (error) {
    throw new Error(`${place}: not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof event?.kind !== 'string') throw new Error(`${place}: not an event: it has no kind`);
  return event as RunEvent;
}

/** Offset after the last newline. */
async function endOfLastLine(file: FileHandle): Promise<number> {
  const block = Buffer.alloc(64 * 1024);
  let end = (await file.stat()).size;
  while (end > 0) {
    const begin = Math.max(0, end - block.length);
    const { bytesRead } = await file.read(block, 0, end - begin, begin);
    const last = block.subarray(0, bytesRead).lastIndexOf(newline);
    if (last >= 0) return begin + last + 1;
    end = begin;
  }
  return 0;
}

async function readBytes(path: string, begin: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - begin), 0, end - begin, begin);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
