import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChildFailure } from '../../kernel-setup/setup/children.mjs';
import { nvidiaDriver } from '../../kernel-setup/setup/device.mjs';
import { explain } from '../../kernel-setup/setup/failures.mjs';
import { nodeFault } from '../../kernel-setup/setup/node-version.mjs';
import { platformFault } from '../../kernel-setup/setup/platform.mjs';
import { saidOfGpu } from '../../kernel-setup/setup/steps/self-test.mjs';
import { countLine, countRun } from '../../kernel-setup/setup/test.mjs';

describe('the version of Node', () => {
  it.each(['20.19.0', '20.20.2', '22.12.0', '22.23.3', '24.0.0', '24.21.0'])('%s is fine', (version) => {
    expect(nodeFault(version)).toBeUndefined();
  });

  it.each([
    ['18.20.8', /too old/],
    ['20.18.3', /too old/],
    ['22.11.0', /too old/],
    ['23.11.1', /not a long-term release/],
    ['25.9.0', /too new/],
  ])('%s is refused', (version, why) => {
    expect(nodeFault(version)).toMatch(why);
    expect(nodeFault(version)).toContain(version);
  });
});

describe('the platform', () => {
  it.each([
    [{ platform: 'linux-x64', glibc: '2.36', cpuFlags: ' fpu sse avx avx2' }, undefined],
    [{ platform: 'linux-arm64', glibc: '2.27', cpuFlags: undefined }, undefined],
    [{ platform: 'darwin-arm64' }, undefined],
    [{ platform: 'win32-x64' }, /does not run on win32-x64/],
    [{ platform: 'darwin-x64' }, /does not run on darwin-x64/],
    [{ platform: 'linux-x64', glibc: '' }, /no glibc/],
    [{ platform: 'linux-x64', glibc: '2.17' }, /glibc 2\.17 is older than 2\.27/],
    [{ platform: 'linux-x64', glibc: '2.36', cpuFlags: ' fpu sse4_2' }, /no AVX/],
  ])('%o', (machine, expected) => {
    if (expected) expect(platformFault(machine)).toMatch(expected);
    else expect(platformFault(machine)).toBeUndefined();
  });
});

describe.skipIf(process.platform !== 'linux')('the NVIDIA driver', () => {
  const having =
    (...paths: string[]) =>
    (path: string) =>
      paths.includes(path);

  it('is found with its library and a device node', () => {
    const exists = having('/usr/lib/x86_64-linux-gnu/libcuda.so.1', '/dev/nvidiactl');
    expect(nvidiaDriver({ environment: {}, exists })).toMatchObject({ found: true });
    const elsewhere = having('/opt/driver/libcuda.so.1', '/dev/dxg');
    expect(nvidiaDriver({ environment: { LD_LIBRARY_PATH: '/x:/opt/driver' }, exists: elsewhere })).toMatchObject({
      found: true,
      library: '/opt/driver/libcuda.so.1',
    });
  });

  it('says which of the two is missing', () => {
    const noDevice = having('/usr/lib64/libcuda.so.1');
    expect(nvidiaDriver({ environment: {}, exists: noDevice }).reason).toMatch(/no GPU device/);
    expect(nvidiaDriver({ environment: {}, exists: having('/dev/nvidiactl') }).reason).toMatch(/libcuda\.so\.1 is not/);
  });
});

describe('what package managers and compilers say', () => {
  const failed = (output: string) => new ChildFailure('pip', 'exit 1', output, '.pathlab/logs/x.log');
  const doing = { what: 'Installing X', source: 'the source' };

  it.each([
    ['npm error code ENOSPC\nnpm error nospc There appears to be insufficient space', /the disk is full/],
    ['OSError: [Errno 28] No space left on device', /the disk is full/],
    ['/usr/bin/ld: final link failed: No space left on device', /the disk is full/],
    ['npm error code EINTEGRITY', /the files from the source do not have the pinned checksums/],
    ['ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE', /pinned checksum/],
    ['npm error code ENOTFOUND\nnpm error network request failed', /the source cannot be reached/],
    ['WARNING: Retrying after connection broken by NewConnectionError', /the source cannot be reached/],
    ['fine so far\nfatal error: node_api.h: No such file\nmore', /Installing X failed: fatal error: node_api\.h/],
  ])('%j', (output, sentence) => {
    const fault = explain(failed(output), doing);
    expect(fault.message).toMatch(sentence);
    expect(fault.remedy).not.toBe('');
    expect(fault.log).toBe('.pathlab/logs/x.log');
  });

  it('leaves errors of our own as they are', () => {
    const error = new TypeError('a bug');
    expect(explain(error, doing)).toBe(error);
  });

  it("hears TensorFlow's reason for using no GPU", () => {
    const output = [
      'I0000 00:00:17.1 port.cc:153] oneDNN custom operations are on.',
      'W0000 00:00:17.2 cuda_platform.cc:52] failed call to cuInit: INTERNAL: CUDA error: no CUDA-capable device',
      '{"device":"CPU","usesGpu":false}',
    ].join('\n');
    expect(saidOfGpu(output)).toBe('failed call to cuInit: INTERNAL: CUDA error: no CUDA-capable device');
  });
});

describe('the lock', () => {
  let project: string;
  const kernelSetup = fileURLToPath(new URL('../../kernel-setup/setup', import.meta.url));
  beforeEach(() => {
    project = mkdtempSync(join(tmpdir(), 'pathlab-lock-'));
    cpSync(kernelSetup, join(project, 'kernel-setup/setup'), { recursive: true });
  });
  afterEach(() => rmSync(project, { recursive: true, force: true }));

  const inProcess = (program: string) => {
    const url = pathToFileURL(join(project, 'kernel-setup/setup/lock.mjs')).href;
    return spawn(process.execPath, ['--input-type=module', '-e', `import { takeLock } from '${url}';\n${program}`], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  };

  it('lets one process in at a time', async () => {
    const log = join(project, 'log');
    writeFileSync(log, '');
    const program = `
      import { appendFileSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      for (let i = 0; i < 3; i++) {
        const lock = await takeLock(() => {});
        appendFileSync(${JSON.stringify(log)}, 'in ' + process.pid + '\\n');
        await sleep(5);
        appendFileSync(${JSON.stringify(log)}, 'out ' + process.pid + '\\n');
        lock.release();
      }`;
    const processes = [1, 2, 3, 4].map(() => inProcess(program));
    for (const child of processes) if (child.exitCode === null) await once(child, 'exit');
    const lines = readFileSync(log, 'utf8').trim().split('\n');
    expect(lines).toHaveLength(4 * 3 * 2);
    for (let i = 0; i < lines.length; i += 2) {
      expect([lines[i], lines[i + 1]]).toEqual([`in ${lines[i]?.slice(3)}`, `out ${lines[i]?.slice(3)}`]);
    }
  });

  it('does not wait for a holder that died, nor for another process that has its pid now', async () => {
    const holder = inProcess('await takeLock(() => {}); process.kill(process.pid, "SIGKILL");');
    await once(holder, 'exit');
    const folder = join(project, '.pathlab/lock');
    expect(readdirSync(folder)).toHaveLength(1);
    writeFileSync(join(folder, `${process.pid}-12345`), '');
    const next = inProcess('await takeLock((pid) => console.log("waits for", pid)); console.log("in");');
    let output = '';
    next.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await once(next, 'close');
    expect(output).toBe('in\n');
  });
});

describe('the count of tests', () => {
  const report = (tests: Record<string, string[]>) => {
    const all = Object.values(tests).flat();
    const count = (status: string) => all.filter((test) => test === status).length;
    return {
      numPassedTests: count('passed'),
      numFailedTests: count('failed'),
      numPendingTests: count('pending'),
      numTodoTests: count('todo'),
      testResults: Object.entries(tests).map(([name, results]) => ({
        name,
        status: results.includes('failed') || results.length === 0 ? 'failed' : 'passed',
        assertionResults: results.map((status) => ({ status })),
      })),
    };
  };

  it('counts what passed, failed and was skipped', () => {
    const run = report({ a: ['passed', 'passed', 'pending'], b: ['failed', 'passed', 'todo'] });
    expect(countLine(countRun(run, 1))).toBe('3 passed, 1 failed, 2 skipped');
    expect(countLine(countRun(report({ a: ['passed'] }), 0))).toBe('1 passed, 0 failed');
  });

  it('counts a file that fails before its tests exist', () => {
    expect(countLine(countRun(report({ a: ['passed'], broken: [] }), 1))).toBe('1 passed, 1 failed');
  });

  it('counts as a failure what vitest tells only by its status, or does not tell at all', () => {
    expect(countLine(countRun(report({ a: ['passed'] }), 1))).toBe('1 passed, 1 failed');
    expect(countLine(countRun(undefined, 1))).toBe('0 passed, 1 failed');
    expect(countLine(countRun(undefined, 0))).toBe('0 passed, 1 failed');
    expect(countLine(countRun(report({}), 0))).toBe('0 passed, 1 failed');
  });
});
