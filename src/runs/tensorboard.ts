import { appendFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunEvent } from './event-log.js';

/** Maximum size of the buffer, bytes; it is also flushed after every event that is not a step. */
const maxWaiting = 64 * 1024;

/**
 * The metrics of a run for TensorBoard, as event files (TFRecords of `tensorflow.Event`) in a separate folder. Each
 * process starts a file; TensorBoard reads them as one run. A marker before a process's first event makes TensorBoard drop the
 * steps from there on: what a process logged that was killed after its last checkpoint, or before its first one.
 */
export class TensorBoardLog {
  private waiting: Buffer[] = [];
  private bytes = 0;
  private path: string | undefined;
  private written: Promise<void> = Promise.resolve();

  constructor(private readonly folder: string) {}

  /** Writes the metrics of an event with a step; others are ignored. */
  add(event: RunEvent, time = Date.now()): Promise<void> {
    const { step, kind, ...others } = event;
    if (typeof step !== 'number') return this.written;
    const isFirst = !this.path;
    if (!this.path) {
      this.path = join(this.folder, `events.out.tfevents.${Math.floor(time / 1000)}.${process.pid}`);
      this.queue(message(time, 0, bytesField(3, Buffer.from('brain.Event:2'))));
    }
    // SessionLog.START: invalidates this step and later ones. The step of a checkpoint was logged with it.
    const firstOwn = kind === 'resumed' ? step + 1 : step;
    if (isFirst || kind === 'resumed') this.queue(message(time, firstOwn, bytesField(7, varintField(1, 1))));
    const part = kind === 'evaluation' ? 'evaluation' : 'training';
    const values = Object.entries(others).flatMap(([name, value]) =>
      typeof value === 'number' && name !== 'steps' ? [bytesField(1, scalar(`${part}/${name}`, value))] : [],
    );
    if ((kind === 'step' || kind === 'evaluation') && values.length > 0) {
      this.queue(message(time, step, bytesField(5, Buffer.concat(values))));
    }
    if (kind === 'step' && this.bytes < maxWaiting) return this.written;
    return this.flush();
  }

  private queue(data: Buffer): void {
    const record = recordOf(data);
    this.waiting.push(record);
    this.bytes += record.length;
  }

  private flush(): Promise<void> {
    const [path, records] = [this.path!, Buffer.concat(this.waiting)];
    this.waiting = [];
    this.bytes = 0;
    this.written = this.written.then(async () => {
      await mkdir(this.folder, { recursive: true });
      await appendFile(path, records);
    });
    return this.written;
  }
}

/** `tensorflow.Event`: wall_time (1, double, s), step (2, int64), and one more field. */
function message(time: number, step: number, field: Buffer): Buffer {
  const wallTime = Buffer.alloc(9);
  wallTime[0] = (1 << 3) | 1;
  wallTime.writeDoubleLE(time / 1000, 1);
  return Buffer.concat([wallTime, varintField(2, step), field]);
}

/** `tensorflow.Summary.Value`: tag (1, string) and simple_value (2, float). */
function scalar(tag: string, value: number): Buffer {
  const number = Buffer.alloc(5);
  number[0] = (2 << 3) | 5;
  number.writeFloatLE(value, 1);
  return Buffer.concat([bytesField(1, Buffer.from(tag)), number]);
}

function bytesField(field: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(content.length), content]);
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([field << 3]), varint(value)]);
}

/** Protocol buffers' varint: seven bits per byte, lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

/** TFRecord's frame: length (8 bytes), its checksum, the data, their checksum. */
function recordOf(data: Buffer): Buffer {
  const frame = Buffer.alloc(data.length + 16);
  frame.writeBigUInt64LE(BigInt(data.length), 0);
  frame.writeUInt32LE(maskedChecksum(frame.subarray(0, 8)), 8);
  data.copy(frame, 12);
  frame.writeUInt32LE(maskedChecksum(data), 12 + data.length);
  return frame;
}

/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), byte by byte. */
const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = remainder & 1 ? (remainder >>> 1) ^ 0x82f63b78 : remainder >>> 1;
  return remainder;
});

/** TFRecord's masked checksum: rotated, plus a constant. */
function maskedChecksum(data: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of data) crc = table[(crc ^ byte) & 255]! ^ (crc >>> 8);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
