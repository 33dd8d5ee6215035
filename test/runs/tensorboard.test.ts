import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { TensorBoardLog } from '../../src/runs/index.js';

const top = mkdtempSync(join(tmpdir(), 'tensorboard-'));
afterAll(() => rmSync(top, { recursive: true }));

const fixture = new URL('../fixtures/tensorboard/', import.meta.url);
const events = JSON.parse(readFileSync(new URL('events.json', fixture), 'utf8')) as {
  process: number;
  time: number;
  event: { kind: string; step: number };
}[];

it("writes what TensorBoard's own reader reads, byte for byte as it was read", async () => {
  const folder = join(top, 'run');
  const logs: Record<number, TensorBoardLog> = {};
  for (const { process, time, event } of events) {
    logs[process] ??= new TensorBoardLog(folder);
    await logs[process].add(event, time);
  }
  const names = readdirSync(folder).sort();
  expect(names).toEqual([1699999989, 1700000000].map((second) => `events.out.tfevents.${second}.${process.pid}`));
  const written = Buffer.concat(names.map((name) => readFileSync(join(folder, name))));
  expect(written.equals(readFileSync(new URL('events.out.tfevents', fixture)))).toBe(true);
});

it('holds steps back until an event that is none, and writes nothing for events without a step', async () => {
  const folder = join(top, 'held');
  const log = new TensorBoardLog(folder);
  await log.add({ kind: 'data' });
  await log.add({ kind: 'step', step: 1, loss: 2 });
  expect(() => readdirSync(folder)).toThrow(/ENOENT/);
  await log.add({ kind: 'checkpoint', step: 1, path: 'here' });
  expect(readdirSync(folder)).toHaveLength(1);
});
