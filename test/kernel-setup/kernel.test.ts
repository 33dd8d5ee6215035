import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  isRunning,
  Kernel,
  kernelName as name,
  ofType,
  projectRoot,
  resultOf as result,
  streamText,
} from './kernel-client.js';

describe('one kernel', () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.start({ name });
  });
  afterAll(() => kernel?.close());

  describe('errors', () => {
    test('an error is a message with its name, its text and frames that name cell and line', async () => {
      const { outputs: before } = await kernel.run(
        'function half(x: number) {\n  if (x % 2) {\n    throw new RangeError("odd: " + x);\n  }\n  return x / 2;\n}',
      );
      const { reply, outputs } = await kernel.run('const fine = half(4);\n\nhalf(3);');
      const definedIn = ofType(before, 'execute_input')[0]!.content.execution_count;
      const [error] = ofType(outputs, 'error');
      expect(error?.content).toMatchObject({ ename: 'RangeError', evalue: 'odd: 3' });
      const trace = error!.content.traceback.join('\n');
      expect(trace).toContain(`cell [${definedIn}], line 3`);
      expect(trace).toMatch(/----> +3 \| +throw new RangeError/);
      expect(trace).toContain(`at half (In[${definedIn}]:3:11)`);
      expect(trace).toContain(`at In[${definedIn + 1}]:3:1`);
      expect(trace).not.toMatch(/node:internal|kernel-setup/);
      expect(reply).toMatchObject({ status: 'error', ename: 'RangeError', execution_count: definedIn + 1 });
    });

    test('lines are right after an await and after rewritten syntax, and causes are told', async () => {
      const { outputs } = await kernel.run(
        'await (Promise.resolve());\nconst a = 1;\nconst b = { a };\nthrow new Error("outer", { cause: new TypeError("inner") });',
      );
      const trace = ofType(outputs, 'error')[0]!.content.traceback.join('\n');
      expect(trace).toMatch(/In\[\d+\]:4:7/);
      expect(trace).toContain('Caused by: TypeError: inner');
    });

    test("pathlab's errors, and those made in a callback, name the line of the cell", async () => {
      const code = [
        "import { compile, tf } from 'pathlab/engine';",
        '',
        'const step = compile((x: ReturnType<typeof tf.scalar>) => x.mul(x.dataSync()[0]!));',
        'await step(tf.scalar(1));',
      ];
      const [recorded] = ofType((await kernel.run(code.join('\n'))).outputs, 'error');
      expect(recorded!.content.evalue).toMatch(/at dataSync \(cell \[\d+\], line 3\)$/);
      expect(recorded!.content.traceback.join('\n')).toMatch(/at In\[\d+\]:4:7/);
      const [called] = ofType(
        (await kernel.run("import { openData } from 'pathlab';\n\nawait openData('/no');")).outputs,
        'error',
      );
      expect(called!.content.traceback[0]).toMatch(/^cell \[\d+\], line 3$/);
      const callback = "import { execFile } from 'node:child_process';\nimport { promisify } from 'node:util';\n\n";
      for (const awaiting of [
        "await promisify(execFile)('false');",
        "for await (const _ of [promisify(execFile)('false')]) {}",
      ]) {
        const [error] = ofType((await kernel.run(callback + awaiting)).outputs, 'error');
        expect(error!.content.traceback[0]).toMatch(/^cell \[\d+\], line 4$/);
      }
      const [deep] = ofType(
        (
          await kernel.run(
            'const down = (n: number): never => {\n  if (n === 0) throw new Error("deep");\n  return down(n - 1);\n};\n\ndown(30);',
          )
        ).outputs,
        'error',
      );
      expect(deep!.content.traceback.join('\n')).toMatch(/at In\[\d+\]:6:1/);
    });

    test("a misspelt key of a chart's specification is red", async () => {
      const chart = (text: string) =>
        `import type { VegaLiteSpec } from 'pathlab/report';\nconst chart: VegaLiteSpec = { data: { values: [] }, ${text} };`;
      const right = "mark: 'bar', encoding: { x: { field: 'a', type: 'quantitative' } }";
      expect((await kernel.run(chart(right))).reply.status).toBe('ok');
      for (const wrong of [
        right.replace('mark', 'mrk'),
        right.replace('field', 'feild'),
        right.replace('tive', 'tiv'),
      ]) {
        expect((await kernel.run(chart(wrong))).reply).toMatchObject({ status: 'error', ename: 'TypeScriptError' });
      }
    });

    test('what is thrown need not be an error', async () => {
      const { outputs } = await kernel.run("throw 'just words';");
      expect(ofType(outputs, 'error')[0]!.content).toMatchObject({ ename: 'Thrown', evalue: 'just words' });
    });

    test('what the compiler refuses is told with its place in the cell as written', async () => {
      const { outputs } = await kernel.run('const c = 1;\nconst d = { c }; const wrong: number = "text";');
      const { ename, evalue, traceback } = ofType(outputs, 'error')[0]!.content;
      expect(ename).toBe('TypeScriptError');
      expect(evalue).toBe("Type 'string' is not assignable to type 'number'.");
      expect(traceback.join('\n')).toMatch(/In\[\d+\]:2:24 - TS2322/);
    });

    test('variables that a failed cell had assigned stay', async () => {
      await kernel.run("let kept = 7;\nthrow new Error('later');");
      expect(result((await kernel.run('kept')).outputs)).toBe('7');
    });

    test('a rejection that nobody handles and a throw in a timer fail the running cell', async () => {
      const rejected = await kernel.run("Promise.reject(new Error('nobody'));");
      expect(rejected.reply).toMatchObject({ status: 'error', evalue: 'nobody' });
      const thrown = await kernel.run(
        "setTimeout(() => { throw new Error('timer'); }, 1);\nawait new Promise((resolve) => setTimeout(resolve, 10_000));",
      );
      expect(thrown.reply).toMatchObject({ status: 'error', evalue: 'timer' });
      expect(result((await kernel.run('1 + 1')).outputs)).toBe('2');
    });

    test('what a failed cell goes on to do is not the work of the next', async () => {
      const failed = await kernel.send(`setTimeout(() => { throw new Error('first'); }, 1);
await new Promise((resolve) => Object.assign(globalThis, { resume: resolve }));
setTimeout(() => { throw new Error('second'); }, 1);
await new Promise(() => {});`);
      expect((await kernel.wait(failed)).reply).toMatchObject({ status: 'error', evalue: 'first' });
      const { reply } = await kernel.run(
        '(globalThis as any).resume(); await new Promise((resolve) => setTimeout(resolve, 300));',
      );
      expect(reply.status).toBe('ok');
      const errors = ofType(await kernel.outputsWith(failed, 'Error: second'), 'error');
      expect(errors.map(({ content }) => content.evalue)).toContain('second');
    });

    test('nor is its result', async () => {
      await kernel.run(`setTimeout(() => { throw new Error('first'); }, 1);
await new Promise((resolve) => Object.assign(globalThis, { resume: resolve }));`);
      expect(result((await kernel.run('((globalThis as any).resume(), 5)')).outputs)).toBe('5');
    });

    test('one that comes after the cell shows under it', async () => {
      const request = await kernel.send("setTimeout(() => { throw new Error('too late'); }, 1000);");
      expect((await kernel.wait(request)).reply.status).toBe('ok');
      const [error] = ofType(await kernel.outputsWith(request, 'Error: too late'), 'error');
      expect(error!.content.evalue).toBe('too late');
    });
  });

  describe('output', () => {
    test('30,000 lines arrive, all and in order', async () => {
      const { outputs } = await kernel.run('for (let line = 0; line < 30_000; line++) console.log(line);');
      const lines = streamText(outputs).trimEnd().split('\n').map(Number);
      expect(lines).toEqual(Array.from({ length: 30_000 }, (_, line) => line));
    });

    test('10,000 displays arrive, all and in order', async () => {
      const { outputs } = await kernel.run(
        "import { display } from 'tslab';\nfor (let at = 0; at < 10_000; at++) display.text(String(at));",
      );
      const texts = ofType(outputs, 'display_data').map(({ content }) => content.data['text/plain']);
      expect(texts).toEqual(Array.from({ length: 10_000 }, (_, at) => String(at)));
    });

    test('streams and displays keep their order', async () => {
      const { outputs } = await kernel.run(
        "console.log('one'); display.text('two'); console.error('three'); process.stdout.write('four');",
      );
      const seen = outputs
        .filter(({ type }) => type === 'stream' || type === 'display_data')
        .map(({ content }) => (content.text ?? content.data['text/plain']).trim());
      expect(seen).toEqual(['one', 'two', 'three', 'four']);
    });

    test('bytes that split a character are joined, and a write calls back', async () => {
      const { outputs } = await kernel.run(
        "const bytes = Buffer.from('µm'); process.stdout.write(bytes.subarray(0, 1));\nawait new Promise((done) => process.stdout.write(bytes.subarray(1), done));",
      );
      expect(streamText(outputs)).toBe('µm');
    });

    test('what a finished cell still writes shows under that cell', async () => {
      const first = await kernel.send("setTimeout(() => console.log('afterwards'), 100);");
      await kernel.wait(first);
      const second = await kernel.run("await new Promise((resolve) => setTimeout(resolve, 300)); console.log('mine')");
      expect(streamText(second.outputs)).toBe('mine\n');
      expect(streamText(await kernel.outputsWith(first, 'afterwards'))).toBe('afterwards\n');
    });

    test('one display holds several MIME types, bytes and metadata, and can be updated', async () => {
      const { outputs } = await kernel.run(`const { display: show } = globalThis[Symbol.for('pathlab.kernel')];
show({ data: { 'text/plain': 'a', 'image/png': new Uint8Array([1, 2, 3]) }, metadata: { 'image/png': { width: 5 } }, displayId: 'x' });
show({ data: { 'text/plain': 'b' }, displayId: 'x', update: true });`);
      expect(ofType(outputs, 'display_data')[0]!.content).toEqual({
        data: { 'text/plain': 'a', 'image/png': 'AQID' },
        metadata: { 'image/png': { width: 5 } },
        transient: { display_id: 'x' },
      });
      expect(ofType(outputs, 'update_display_data')[0]!.content).toMatchObject({
        data: { 'text/plain': 'b' },
        transient: { display_id: 'x' },
      });
      const { reply } = await kernel.run('show({ data: {}, update: true });');
      expect(reply.evalue).toContain('displayId');
    });

    test('a table as the last expression is shown as a table, and display() shows more of them', async () => {
      const { outputs } = await kernel.run(`import * as aq from 'arquero';
import { display, html } from 'pathlab';
await display(html('<b>two</b>'));
aq.table({ slide: ['a', 'b'] })`);
      expect(ofType(outputs, 'display_data')[0]!.content.data).toEqual({
        'text/html': '<b>two</b>',
        'text/plain': 'two',
      });
      const { data } = ofType(outputs, 'execute_result')[0]!.content;
      expect(data['text/html']).toContain('<td style="text-align:left">b</td>');
      expect(data['text/plain']).toMatch(/^2 rows x 1 column/);
    });

    test("the last expression is the cell's result", async () => {
      const { outputs } = await kernel.run('({ epochs: 3 })');
      expect(result(outputs)).toBe('{ epochs: 3 }');
      expect(ofType((await kernel.run('const quiet = 1;')).outputs, 'execute_result')).toEqual([]);
    });
  });

  describe('syntax', () => {
    test('a shorthand property takes a variable of an earlier cell', async () => {
      await kernel.run('let epochs = 3; let batch = 8;');
      expect(result((await kernel.run('({ epochs, batch })')).outputs)).toBe('{ epochs: 3, batch: 8 }');
      await kernel.run('({ epochs, batch = 2 } = { epochs: 9 } as { epochs: number; batch?: number });');
      expect(result((await kernel.run('[epochs, batch]')).outputs)).toBe('[ 9, 2 ]');
    });

    test.each([
      ['await (Promise.resolve(5))', '5'],
      ['await (async () => 6)()', '6'],
      ['const many = await Promise.all([await (async () => 1)(), 2]); many', '[ 1, 2 ]'],
      ['let sum = 0; for await (const x of [1, Promise.resolve(2)]) { sum += x; }\nsum', '3'],
      ['let sum = 0; for (const a of [1, 2]) for await (const b of [a, Promise.resolve(3)]) sum += b;\nsum', '9'],
      ['let sum = 0; for await (const a of [1, 2]) for await (const b of [3]) sum += a * b;\nsum', '9'],
      ['const tsLastExpr = 2; tsLastExpr + 1', '3'],
      ['let left = 2; while (left > 0) await (async () => left--)()\nleft', '0'],
    ])('at the top level: %s', async (code, expected) => {
      expect(result((await kernel.run(code)).outputs)).toBe(expected);
    });

    test('a cell may declare a constant, class or enum again', async () => {
      await kernel.run('const again = 1; class Shape { sides = 3; } enum Stain { Eosin }');
      await kernel.run('const again = "two"; class Shape { sides = 4; } enum Stain { Eosin = 7 }');
      const { outputs } = await kernel.run('[again, new Shape().sides, Stain.Eosin]');
      expect(result(outputs)).toBe("[ 'two', 4, 7 ]");
    });

    test('names may start with two underscores', async () => {
      await kernel.run('const __width = 3; let ___deep = [__width]; function __area() { return __width ** 2; }');
      await kernel.run('___deep = [4];');
      const { outputs } = await kernel.run('({ __width, deep: ___deep, area: __area() })');
      expect(result(outputs)).toBe('{ __width: 3, deep: [ 4 ], area: 9 }');
    });
  });

  describe('what people paste', () => {
    test('declarations that a cell exports are variables like the others', async () => {
      await kernel.run(
        'export const sizeOf = 7; export function twice(x: number) { return 2 * x; }\nexport type Side = number;',
      );
      expect(result((await kernel.run('const side: Side = twice(sizeOf); side')).outputs)).toBe('14');
    });

    test('names of globals may be variables', async () => {
      await kernel.run('const Promise = 3; const Symbol = 4;');
      const { outputs } = await kernel.run(
        'let rounds = 0; for await (const x of [1, 2]) rounds += x; [rounds, Promise, Symbol]',
      );
      expect(result(outputs)).toBe('[ 3, 3, 4 ]');
      await kernel.run('const Promise = globalThis.Promise; const Symbol = globalThis.Symbol;');
    });

    test('an error or a promise as a result shows nothing of the kernel', async () => {
      const error = result((await kernel.run('const fault = new RangeError("looked at");\nfault')).outputs);
      expect(error).toMatch(/^RangeError: looked at\n +at In\[\d+\]:1:\d+$/);
      const facts = result((await kernel.run('Object.assign(new Error("none"), { code: "ENOENT" })')).outputs);
      expect(facts).toMatch(/^Error: none\n.*\n\{ code: 'ENOENT' \}$/s);
      expect(result((await kernel.run('Promise.resolve(3)')).outputs)).toBe('Promise { 3 }');
      expect(result((await kernel.run('Object.freeze(Promise.resolve(4))')).outputs)).toContain('4');
    });

    test('completion counts characters as Jupyter does', async () => {
      await kernel.run('let shown = 1;');
      const code = 'const party = "🎉🎉🎉🎉"; party.toUpper';
      const { reply } = await kernel.complete(code, Array.from(code).length);
      expect(reply.matches).toContain('toUpperCase');
      expect([reply.cursor_start, reply.cursor_end]).toEqual([Array.from(code).length - 7, Array.from(code).length]);
    });
  });

  describe('modules', () => {
    test('ES modules with a top-level await, types only in exports, both forms in one package', async () => {
      const { outputs } = await kernel.run(`import * as vega from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import sharp from 'sharp';
import * as aq from 'arquero';
const spec: TopLevelSpec = { data: { values: [{ a: 1 }] }, mark: 'bar', encoding: { x: { field: 'a', type: 'quantitative' } } };
const svg = await new vega.View(vega.parse(compile(spec).spec), { renderer: 'none' }).toSVG();
const { format } = await sharp(Buffer.from(svg)).metadata();
[format, aq.table({ a: [1, 2] }).numRows()]`);
      expect(result(outputs)).toBe("[ 'svg', 2 ]");
      const wrong = await kernel.run("const bad: TopLevelSpec = { mark: 'no such mark' };");
      expect(wrong.reply.ename).toBe('TypeScriptError');
    });

    test('pathlab is found, type-checked, and the same in every cell', async () => {
      const { outputs } = await kernel.run("import { key } from 'pathlab';\nkey(1).words");
      expect(result(outputs)).toMatch(/^\[ -?\d+, -?\d+ \]$/);
      expect((await kernel.run('const text: string = key(1);')).reply.ename).toBe('TypeScriptError');
    });

    test('a room of pathlab is found by its name, type-checked and completed', async () => {
      const { outputs } = await kernel.run("import { Generator } from 'pathlab/base';\ntypeof Generator");
      expect(result(outputs)).toBe("'function'");
      expect((await kernel.run("import { absent } from 'pathlab/base';")).reply.ename).toBe('TypeScriptError');
      const { reply } = await kernel.complete("import * as base from 'pathlab/base';\nbase.Gener");
      expect(reply.matches).toEqual(['Generator']);
    });

    test('pathlab hears the interrupt of the cell that asks', async () => {
      const request = await kernel.send(`import { interruptSignal } from 'pathlab';
const asked = interruptSignal(); console.log('waiting');
await new Promise((resolve) => asked.addEventListener('abort', resolve));
console.log('saved');`);
      await kernel.outputsWith(request, 'waiting');
      await kernel.interrupt();
      const { reply, outputs } = await kernel.wait(request);
      expect(reply.status).toBe('ok');
      expect(streamText(outputs)).toBe('waiting\nsaved\n');
    });
  });

  describe('requests', () => {
    test('a failed cell drops what was asked for before it failed, and nothing after', async () => {
      const waiting = await Promise.all([
        kernel.send("const end = Date.now() + 200; while (Date.now() < end) {}\nthrow new Error('stop here');"),
        kernel.send("console.log('not me');"),
        kernel.send("console.log('nor me');"),
      ]);
      const states = [];
      for (const request of waiting) {
        const { reply } = await kernel.wait(request);
        states.push(reply.status);
        // A cell that was not run has no number.
        expect('execution_count' in reply).toBe(reply.status !== 'aborted');
      }
      expect(states).toEqual(['error', 'aborted', 'aborted']);
      expect((await kernel.run('3')).reply.status).toBe('ok');
    });

    test('with errors allowed every later cell runs', async () => {
      const waiting = [];
      for (const code of ["throw new Error('go on');", '1', '2']) {
        waiting.push(await kernel.send(code, { stopOnError: false }));
      }
      const states = [];
      for (const request of waiting) states.push((await kernel.wait(request)).reply.status);
      expect(states).toEqual(['error', 'ok', 'ok']);
    });

    test('completion, inspection and kernel info answer, also while a cell runs', async () => {
      await kernel.run('const patchSize = 256;');
      const running = await kernel.send('await new Promise((resolve) => setTimeout(resolve, 500));');
      const { reply } = await kernel.complete('patchS');
      expect(reply).toMatchObject({ status: 'ok', matches: ['patchSize'], cursor_start: 0, cursor_end: 6 });
      await kernel.wait(running);
      expect((await kernel.inspect('patchSize')).reply.data['text/plain']).toContain('patchSize: 256');
      expect((await kernel.info()).reply.language_info).toMatchObject({ name: 'typescript', version: '5.0.4' });
      expect((await kernel.comms()).reply).toMatchObject({ type: 'comm_info_reply', status: 'ok' });
    });
  });

  describe('interrupts', () => {
    const interrupted = { status: 'error', ename: 'Interrupted' };
    let marker: string;
    beforeAll(() => {
      marker = join(mkdtempSync(join(tmpdir(), 'pathlab-interrupt-')), 'running');
    });
    afterAll(() => rmSync(join(marker, '..'), { recursive: true, force: true }));

    /** Interrupts the code once it runs: a loop that never yields shows that by no message. */
    const interruptOf = async (code: string, times = 1) => {
      rmSync(marker, { force: true });
      const request = await kernel.send(
        `import { writeFileSync } from 'node:fs';\nwriteFileSync(${JSON.stringify(marker)}, '');\n${code}`,
      );
      while (!existsSync(marker)) await pause(20);
      for (let time = 0; time < times; time++) {
        await kernel.interrupt();
        await pause(100);
      }
      return kernel.wait(request);
    };

    test('a loop that never yields, and a promise that never settles, are stopped', async () => {
      await kernel.run('let survivor = 42;');
      expect((await interruptOf('while (true) {}')).reply).toMatchObject(interrupted);
      expect((await interruptOf('await new Promise(() => {});')).reply).toMatchObject(interrupted);
      expect(result((await kernel.run('survivor')).outputs)).toBe('42');
    });

    const signal = "const stop: AbortSignal = globalThis[Symbol.for('pathlab.kernel')].interruptSignal();";
    test('a cell that asked for the signal ends by itself', async () => {
      const { reply, outputs } = await interruptOf(`${signal}
while (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
await new Promise((resolve) => setTimeout(resolve, 100));
throw new Error('saved and stopped');`);
      expect(reply).toMatchObject({ status: 'error', evalue: 'saved and stopped' });
      expect(streamText(outputs, 'stderr')).toContain('Interrupt again to stop at once');
    });

    test('the second interrupt stops also one that does not', async () => {
      expect((await interruptOf(`${signal} await new Promise(() => {});`, 2)).reply).toMatchObject(interrupted);
      expect(result((await kernel.run('stop.aborted')).outputs)).toBe('true');
      expect(
        (await kernel.run("globalThis[Symbol.for('pathlab.kernel')].interruptSignal().aborted")).outputs.at(-2)!.content
          .data['text/plain'],
      ).toBe('false');
    });
  });
});

describe('a folder of its own', () => {
  let folder: string;
  let kernel: Kernel;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'pathlab-kernel-'));
    writeFileSync(
      join(folder, 'helper.ts'),
      "import { key } from 'pathlab';\nexport const twice = (x: number): number => 2 * x;\nexport const word: number = key(1).words[0];\n",
    );
    writeFileSync(join(folder, 'sizes.json'), '{ "small": 64 }');
    kernel = await Kernel.start({ name, folder });
  });
  afterAll(async () => {
    await kernel?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test('outside the project its packages and types are still found', async () => {
    const { outputs } = await kernel.run(
      "import * as aq from 'arquero';\nimport { key } from 'pathlab';\nimport { readFileSync } from 'node:fs';\nconst rows: number = aq.table({ a: [1] }).numRows();\n[rows, key(1).words.length]",
    );
    expect(result(outputs)).toBe('[ 1, 2 ]');
    expect((await kernel.run('const wrong: string = key(1);')).reply.ename).toBe('TypeScriptError');
  });

  test('relative TypeScript and JSON files are imported, and again when they change', async () => {
    const use =
      "import { twice, word } from './helper';\nimport sizes from './sizes.json';\n[twice(sizes.small), typeof word]";
    expect(result((await kernel.run(use)).outputs)).toBe("[ 128, 'number' ]");
    writeFileSync(
      join(folder, 'helper.ts'),
      'export const twice = (x: number): number => 20 * x;\nexport const word = 1;\n',
    );
    await pause(1000);
    expect(result((await kernel.run(use)).outputs)).toBe("[ 1280, 'number' ]");
  });

  test('shutdown ends the process, after a cell that handles interrupts has saved', async () => {
    const pid = await kernel.pid();
    const request = await kernel.send(`import { writeFileSync } from 'node:fs';
const stop: AbortSignal = globalThis[Symbol.for('pathlab.kernel')].interruptSignal();
console.log('training');
while (!stop.aborted) await new Promise((resolve) => setTimeout(resolve, 10));
await new Promise((resolve) => setTimeout(resolve, 300));
writeFileSync('checkpoint', 'whole');`);
    await kernel.outputsWith(request, 'training');
    await kernel.shutdown();
    expect(isRunning(pid)).toBe(false);
    expect(readFileSync(join(folder, 'checkpoint'), 'utf8')).toBe('whole');
  });
});

test('a kernel whose client was killed ends, even in a loop that never yields', async () => {
  const kernel = await Kernel.start({ name });
  const pid = await kernel.pid();
  try {
    await kernel.send('while (true) {}');
    kernel.killClient();
    for (let waited = 0; waited < 100 && isRunning(pid); waited++) await pause(100);
    expect(isRunning(pid)).toBe(false);
  } finally {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  }
});

test('another version of tslab is refused by name', () => {
  const folder = mkdtempSync(join(tmpdir(), 'pathlab-tslab-'));
  try {
    cpSync(join(projectRoot, 'kernel-setup/kernel'), join(folder, 'kernel-setup/kernel'), { recursive: true });
    mkdirSync(join(folder, 'node_modules/tslab'), { recursive: true });
    writeFileSync(join(folder, 'node_modules/tslab/package.json'), '{ "name": "tslab", "version": "2.0.0" }');
    writeFileSync(join(folder, 'connection.json'), '{}');
    const { status, stderr } = spawnSync('node', ['kernel-setup/kernel/main.cjs', 'connection.json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(stderr).toContain('needs tslab 1.0.22, but tslab 2.0.0 is installed');
    expect(status).toBe(1);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
