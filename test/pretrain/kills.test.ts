import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { key } from '../../src/base/index.js';
import { compileDataset } from '../../src/datasets/index.js';
import { readEvents } from '../../src/runs/index.js';
import { smallDataset } from '../datasets/small-dataset.js';

const program = fileURLToPath(new URL('pretrain-child.mjs', import.meta.url));
const fresh = () => mkdtempSync(join(top, 'run-'));
let top: string;
let folder: string;
beforeAll(async () => {
  top = mkdtempSync(join(tmpdir(), 'pretrain-kills-'));
  ({ folder } = await compileDataset(await smallDataset(4), { data: join(top, 'data') }));
});
afterAll(() => rmSync(top, { recursive: true, force: true }));

interface ChildOptions {
  run: string;
  name: string;
  precision: string;
  memory?: number;
  killed?: { step: number; milliseconds: number };
}

/**
 * Pretrains in a process of its own.
 *
 * @returns the first event that it tells of
 */
async function pretrainInChild(options: ChildOptions): Promise<string | undefined> {
  const child = spawn(process.execPath, [program, JSON.stringify({ folder, ...options })]);
  const said = { out: '', error: '' };
  child.stdout.on('data', (text) => {
    said.out += text;
  });
  child.stderr.on('data', (text) => {
    said.error += text;
  });
  expect(await once(child, 'close'), said.error).toEqual(options.killed ? [null, 'SIGKILL'] : [0, null]);
  return said.out.split('\n')[0];
}

it.each([
  ['Supervised', 'float32', 0],
  ['SimCLR', 'float32', 0],
  ['SimCLR', 'bfloat16', undefined],
  ['MoCo v2', 'float32', undefined],
  ['BYOL', 'bfloat16', 0],
  ['DINO', 'float32', 0],
  ['MAE', 'bfloat16', undefined],
])(
  '%s in %s with memory %s, killed twice, leaves the bits and the log of the undisturbed run',
  async (name, precision, memory) => {
    const random = key('kills').fold(name).fold(precision).generator();
    const killed = (step: number) => ({ step: step + random.integer(4), milliseconds: random.integer(40) });
    const [whole, broken] = [fresh(), fresh()];
    await pretrainInChild({ run: whole, name, precision, memory });
    await pretrainInChild({ run: broken, name, precision, memory, killed: killed(6) });
    expect(await pretrainInChild({ run: broken, name, precision, memory, killed: killed(16) })).toMatch(
      /^resumed \d+$/,
    );
    expect(await pretrainInChild({ run: broken, name, precision, memory })).toMatch(/^resumed (15|20|25)$/);
    const weights = (run: string) => readFileSync(join(run, 'weights.safetensors'));
    expect(weights(broken).equals(weights(whole))).toBe(true);
    expect(await steps(broken)).toEqual(await steps(whole));
    expect(await steps(whole)).toHaveLength(30);
  },
  180_000,
);

/** The number and the loss of each step in a run's log. */
async function steps(run: string): Promise<[unknown, unknown][]> {
  const logged: [unknown, unknown][] = [];
  for await (const { step, loss } of readEvents(join(run, 'events.jsonl'), { kind: 'step' })) logged.push([step, loss]);
  return logged;
}
