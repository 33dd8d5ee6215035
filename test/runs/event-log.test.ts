import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { EventLog, type RunEvent, readEvents } from '../../src/runs/index.js';
import { canMount, smallDisk } from '../base/tmpfs.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pathlab-log-'));
  path = join(folder, 'events.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true }));

const step = (number: number) => ({ kind: 'step', step: number });
async function eventsIn(options?: Parameters<typeof readEvents>[1]): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of readEvents(path, options)) events.push(event);
  return events;
}
const stepsIn = async () => (await eventsIn()).map((event) => event.step ?? event.kind);

describe('a log', () => {
  it('keeps the order of the calls, also of those that nobody waits for', async () => {
    const log = await EventLog.open(path);
    for (let number = 1; number < 5000; number++) void log.append(step(number));
    await log.append(step(5000));
    expect(await stepsIn()).toEqual(Array.from({ length: 5000 }, (_, index) => index + 1));
    expect(Object.keys((await eventsIn())[0]!)).toEqual(['time', 'kind', 'step']);
  });

  it('has on disk what came before sync, and gives its length', async () => {
    const log = await EventLog.open(path);
    expect(await log.sync()).toBe(0);
    void log.append({ kind: 'note', words: 'µm' });
    void log.append(step(1));
    const synced = log.sync();
    void log.append(step(2));
    const end = await synced;
    await log.cutTo(end);
    expect(await stepsIn()).toEqual(['note', 1]);
    expect(statSync(path).size).toBe(end);
    expect(await (await EventLog.open(path)).sync()).toBe(end);
  });

  it('is cut to a checkpoint and goes on from there', async () => {
    const killed = await EventLog.open(path);
    await killed.append(step(1));
    const checkpoint = await killed.sync();
    await killed.append(step(2));

    const log = await EventLog.open(path);
    await log.append({ kind: 'opened' });
    await log.cutTo(checkpoint);
    await log.append(step(2));
    // What this process had logged is not part of the steps that were lost.
    expect(await stepsIn()).toEqual([1, 'opened', 2]);
    expect(await log.sync()).toBe(statSync(path).size);

    const interrupted = await log.sync();
    await log.append(step(3));
    await log.cutTo(interrupted);
    expect(await stepsIn()).toEqual([1, 'opened', 2]);
  });

  it('is emptied when a training starts afresh in the same process', async () => {
    const log = await EventLog.open(path);
    await log.append(step(1));
    await log.cutTo(0);
    expect(statSync(path).size).toBe(0);
    await log.append(step(1));
    expect(await log.sync()).toBe(statSync(path).size);
    expect(await stepsIn()).toEqual([1]);
  });

  it('refuses to be cut where the checkpoint cannot have been saved, and stays as it is', async () => {
    const log = await EventLog.open(path);
    await log.append(step(1));
    const end = await log.sync();
    await expect(log.cutTo(end + 1)).rejects.toThrow(/events.jsonl has \d+ bytes, fewer than the \d+ that .* restore/);
    await expect(log.cutTo(end - 1)).rejects.toThrow(`has no line that ends at byte ${end - 1}`);
    await log.append(step(2));
    expect(await stepsIn()).toEqual([1, 2]);
  });

  it.each(['{"kind":"st', `{"kind":"${'x'.repeat(200_000)}`])('loses an unfinished last line', async (torn) => {
    const log = await EventLog.open(path);
    await log.append(step(1));
    writeFileSync(path, torn, { flag: 'a' });
    expect(await stepsIn()).toEqual([1]);
    const next = await EventLog.open(path);
    await next.append(step(2));
    expect(await stepsIn()).toEqual([1, 2]);
  });

  it.skipIf(!canMount)('never has a gap: after a failed write every call fails (needs to mount)', async () => {
    const disk = smallDisk(256)!;
    try {
      const full = join(disk.folder, 'events.jsonl');
      const log = await EventLog.open(full);
      await log.append(step(1));
      const checkpoint = await log.sync();
      disk.leave(0);
      await expect(log.append({ kind: 'note', words: 'x'.repeat(50_000) })).rejects.toThrow('ENOSPC');
      disk.makeRoom();
      await expect(log.append(step(2))).rejects.toThrow('ENOSPC');
      await expect(log.sync()).rejects.toThrow('ENOSPC');
      expect(await (await EventLog.open(full)).sync()).toBe(checkpoint);
    } finally {
      disk.remove();
    }
  });

  it('of a killed process has no torn line, and after the cut the steps of the checkpoint', async () => {
    const chance = key('killed logs').generator();
    for (let round = 0; round < 6; round++) {
      const { child, offsets } = startWriter();
      while (offsets.length < 2) await once(child.stdout, 'data');
      await setTimeout(200 * chance.uniform());
      child.kill('SIGKILL');
      await once(child, 'close');

      const checkpoint = offsets.at(-1)!;
      expect(statSync(path).size).toBeGreaterThanOrEqual(checkpoint.end);
      const log = await EventLog.open(path);
      await log.append({ kind: 'opened' });
      const logged = await stepsIn();
      expect(logged.pop()).toBe('opened');
      const steps = logged.filter((event) => event !== 'opened');
      expect(steps.length).toBeGreaterThanOrEqual(checkpoint.step);
      expect(steps).toEqual(Array.from(steps, (_, index) => index + 1));

      await log.cutTo(checkpoint.end);
      const rest = await eventsIn({ kind: 'step' });
      expect(rest.map((event) => event.step)).toEqual(steps.slice(0, checkpoint.step));
    }
  });
});

/** Logs step after step from where the log ends, and prints what a checkpoint would keep. */
function startWriter() {
  const program = `
    import { EventLog, readEvents } from ${JSON.stringify(new URL('../../dist/runs/index.js', import.meta.url).href)};
    const path = ${JSON.stringify(path)};
    const log = await EventLog.open(path);
    let step = 0;
    for await (const event of readEvents(path, { kind: 'step' })) step = event.step;
    while (true) {
      for (let more = 0; more < 50; more++) void log.append({ kind: 'step', step: ++step, loss: Math.random() });
      const last = step;
      const synced = log.sync();
      void log.append({ kind: 'step', step: ++step });
      process.stdout.write(JSON.stringify({ step: last, end: await synced }) + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const offsets: { step: number; end: number }[] = [];
  let rest = '';
  child.stdout.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop()!;
    offsets.push(...lines.map((line) => JSON.parse(line)));
  });
  return { child, offsets };
}

describe('events', () => {
  it('are read by kind', async () => {
    writeFileSync(path, '{"kind":"opened"}\n{"kind":"step","step":1}\n');
    expect(await eventsIn({ kind: 'step' })).toEqual([step(1)]);
  });

  it.each([
    ['{"kind":"step","st{"kind":"step"}', 'line 2: not JSON'],
    ['{"step":1}', 'line 2: not an event: it has no kind'],
    ['null', 'line 2: not an event: it has no kind'],
    ['', 'line 2: not JSON'],
  ])('say which line is broken: %s', async (broken, message) => {
    writeFileSync(path, `{"kind":"opened"}\n${broken}\n{"kind":"step"}\n`);
    await expect(eventsIn()).rejects.toThrow(`${path}, ${message}`);
  });

  it('of a log that is not there cannot be read', async () => {
    expect(existsSync(path)).toBe(false);
    await expect(eventsIn()).rejects.toThrow('ENOENT');
  });
});
