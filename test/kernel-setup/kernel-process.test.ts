import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRunning, Kernel, kernelName as name, ofType, projectRoot, resultOf, streamText } from './kernel-client.js';

describe('a kernel whose cells run in a process of their own', () => {
  let kernel: Kernel;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-process-'));
    kernel = await Kernel.start({ name, folder });
  });
  afterAll(async () => {
    await kernel?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('what child processes write is shown, in order with what the cell writes', async () => {
    const { outputs } = await kernel.run(`import { execSync } from 'node:child_process';
for (let round = 0; round < 5; round++) {
  console.log('cell', round);
  execSync('echo child; echo to its terminal > /dev/stdout', { stdio: 'inherit' });
}
execSync('echo trouble >&2', { stdio: 'inherit' });`);
    const round = (number: number) => `cell ${number}\nchild\nto its terminal\n`;
    expect(streamText(outputs)).toBe([0, 1, 2, 3, 4].map(round).join(''));
    expect(streamText(outputs, 'stderr')).toBe('trouble\n');
  });

  test('what native code writes is shown: as much as there is, and bytes that split a character', async () => {
    const { outputs } = await kernel.run(`import { writeSync } from 'node:fs';
const micro = Buffer.from('µ');
writeSync(1, micro.subarray(0, 1)); writeSync(1, micro.subarray(1));
for (let line = 0; line < 20_000; line++) writeSync(1, line + '\\n');`);
    const lines = Array.from({ length: 20_000 }, (_, line) => `${line}\n`).join('');
    expect(streamText(outputs)).toBe(`µ${lines}`);
  });

  test("TensorFlow's log begins with warnings", async () => {
    const { outputs } = await kernel.run(`import { writeSync as write } from 'node:fs';
write(2, 'WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n');
write(2, 'I0000 00:00:1795535044.697210    4563 port.cc:153] oneDNN custom operations are on.\\n');
write(2, 'W0000 00:00:1795535044.697210    4563 cpu.cc:3] slow\\n');`);
    expect(streamText(outputs, 'stderr')).toBe('W0000 00:00:1795535044.697210    4563 cpu.cc:3] slow\n');
  });

  test('output of a cell that never yields is shown while it runs', async () => {
    const request = await kernel.send("console.log('on its way'); while (true) {}");
    expect(streamText(await kernel.outputsWith(request, 'on its way'))).toBe('on its way\n');
    await kernel.interrupt();
    expect((await kernel.wait(request)).reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
  });

  test.each([
    ['after an await', 'await null; console.log("begun"); while (true) {}'],
    ['after a timer', 'await new Promise((done) => setTimeout(done, 20)); console.log("begun"); while (true) {}'],
    ['in a timer', 'setTimeout(() => { console.log("begun"); while (true) {} }, 5); await new Promise(() => {});'],
    ['in a sleep', 'console.log("begun"); Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);'],
    ['of awaits that are settled', 'console.log("begun"); while (true) await null;'],
  ])('an endless loop %s is stopped, and the kernel goes on', async (_where, code) => {
    await kernel.run('var survivor = 42;');
    const request = await kernel.send(code);
    await kernel.outputsWith(request, 'begun');
    await kernel.interrupt();
    expect((await kernel.wait(request)).reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
    const { outputs } = await kernel.run('await new Promise((done) => setTimeout(done, 10)); survivor');
    expect(resultOf(outputs)).toBe('42');
  });

  test('also where the interrupt meets what Node runs around promises, as some of these do', async () => {
    for (let round = 0; round < 12; round++) {
      const request = await kernel.send('console.log("begun"); while (true) await null;');
      await kernel.outputsWith(request, 'begun');
      await kernel.interrupt();
      expect((await kernel.wait(request)).reply).toMatchObject({ status: 'error', ename: 'Interrupted' });
    }
    expect(resultOf((await kernel.run('survivor')).outputs)).toBe('42');
  });

  test('an async loop of an interrupted cell does not go on', async () => {
    const request = await kernel.send(
      'var rounds = 0; while (true) { if (rounds++ === 0) console.log("begun"); await new Promise((done) => setTimeout(done, 5)); }',
    );
    await kernel.outputsWith(request, 'begun');
    await kernel.interrupt();
    await kernel.wait(request);
    const first = resultOf((await kernel.run('rounds')).outputs);
    await pause(100);
    expect(resultOf((await kernel.run('rounds')).outputs)).toBe(first);
  });

  test('input() asks the person at the notebook', async () => {
    const code =
      "const { input } = globalThis[Symbol.for('pathlab.kernel')];\nconst name = await input('Name? '); name";
    const request = await kernel.send(code, { allowStdin: true });
    expect(await kernel.input('Ada')).toEqual({ prompt: 'Name? ', password: false });
    expect(resultOf((await kernel.wait(request)).outputs)).toBe("'Ada'");
    const second = await kernel.send("await input('Token? ', { password: true })", { allowStdin: true });
    expect(await kernel.input('secret')).toEqual({ prompt: 'Token? ', password: true });
    expect((await kernel.wait(second)).reply.status).toBe('ok');
  });

  test('input() is refused where there is nobody to ask', async () => {
    const { reply } = await kernel.run("await globalThis[Symbol.for('pathlab.kernel')].input('Name? ')");
    expect(reply.status).toBe('error');
    expect(reply.evalue).toContain('this notebook runs without a user');
  });

  test('clear_output is sent, and a silent request sends nothing', async () => {
    const { outputs } = await kernel.run(
      "const { clearOutput } = globalThis[Symbol.for('pathlab.kernel')]; console.log('old'); clearOutput(true); console.log('new');",
    );
    const shown = outputs.filter(({ type }) => type === 'stream' || type === 'clear_output');
    expect(shown.map(({ type, content }) => content.text ?? [type, content])).toEqual([
      'old\n',
      ['clear_output', { wait: true }],
      'new\n',
    ]);
    const silent = await kernel.run('1 + 1', { silent: true });
    expect(silent.outputs.map(({ type }) => type)).toEqual(['status', 'status']);
  });

  test('history gives the last inputs, and those that match', async () => {
    await kernel.run('const early = 1;');
    await kernel.run('const late = 2;');
    const codes = async (query: Record<string, unknown>) =>
      (await kernel.history(query)).reply.history.map(([, , code]: [number, number, string]) => code);
    expect(await codes({ hist_access_type: 'tail', n: 2, raw: true, output: false })).toEqual([
      'const early = 1;',
      'const late = 2;',
    ]);
    expect(await codes({ hist_access_type: 'search', pattern: '*[de]arl? = *', raw: true, output: false })).toEqual([
      'const early = 1;',
    ]);
  });

  test('is_complete tells code that goes on', async () => {
    expect((await kernel.isComplete('const a = {')).reply).toMatchObject({ status: 'incomplete', indent: '  ' });
    expect((await kernel.isComplete('const a = 1;')).reply.status).toBe('complete');
    expect((await kernel.isComplete('await (fetch("a"))')).reply.status).toBe('complete');
    expect((await kernel.isComplete('const = 1;')).reply.status).toBe('invalid');
  });
});

test('an interrupt that ends a process which does not listen yet loses no request', async () => {
  const program = `
    const { CellProcess } = require('./kernel-setup/kernel/cell-process.cjs');
    process.on('SIGINT', () => {});
    const onMessage = ({ content }) => { process.stdout.write(content.status); cells.kill(); };
    const cells = new CellProcess({ onText() {}, onMessage, onEnd() {} });
    cells.send({ type: 'is_complete', question: 1, code: '1' });
    process.kill(-process.pid, 'SIGINT');`;
  const child = spawn(process.execPath, ['-'], {
    cwd: projectRoot,
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 40_000,
    killSignal: 'SIGKILL',
  });
  child.stdin!.end(program);
  let text = '';
  child.stdout!.on('data', (bytes) => (text += bytes));
  await once(child, 'close');
  expect(text).toBe('complete');
});

test('a crash in native code fails the cell with the last lines of its log, and ends the kernel', async () => {
  const kernel = await Kernel.start({ name });
  try {
    const { reply, outputs } = await kernel.run(`import { writeSync } from 'node:fs';
writeSync(2, 'F0000 native.cc:7] Check failed: shapes differ\\n');
process.kill(process.pid, 'SIGABRT');
while (true) {}`);
    expect(reply).toMatchObject({ status: 'error', ename: 'KernelDied' });
    expect(reply.evalue).toContain('SIGABRT');
    expect(ofType(outputs, 'error')[0]!.content.traceback.join('\n')).toContain('Check failed: shapes differ');
    for (let waited = 0; waited < 100 && (await kernel.isAlive()); waited++) await pause(100);
    expect(await kernel.isAlive()).toBe(false);
  } finally {
    await kernel.close();
  }
});

test.each(['shutdown', 'restart'] as const)(
  '%s leaves no process, also of a cell that never yields and of its child processes',
  async (way) => {
    const folder = mkdtempSync(join(tmpdir(), 'pathlab-shutdown-'));
    const kernel = await Kernel.start({ name, folder });
    try {
      const front = await kernel.pid();
      const request = await kernel.send(`var old = true;
import { spawn } from 'node:child_process';
const child = spawn('sh', ['-c', 'trap "" INT; sleep 300; true']);
console.log('pids', process.pid, child.pid);
while (true) {}`);
      const [, cells, child] = /pids (\d+) (\d+)/
        .exec(streamText(await kernel.outputsWith(request, 'pids ')))!
        .map(Number);
      expect(cells).not.toBe(front);
      await kernel[way]();
      for (let waited = 0; waited < 50 && isRunning(child!); waited++) await pause(100);
      expect([isRunning(front), isRunning(cells!), isRunning(child!)]).toEqual([false, false, false]);
      if (way === 'restart') expect((await kernel.run('old')).reply.evalue).toBe("Cannot find name 'old'.");
    } finally {
      await kernel.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
  180_000,
);
