import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyProject } from '../../bench/project-copy.mjs';
import { nvidiaDriver } from '../../kernel-setup/setup/device.mjs';
import { startTime } from '../../kernel-setup/setup/lock.mjs';
import { findPython } from '../../kernel-setup/setup/python.mjs';

let project: string;
let scratch: string;

beforeEach(() => {
  project = copyProject();
  scratch = mkdtempSync(join(tmpdir(), 'pathlab-faults-'));
});
afterEach(() => {
  for (const folder of [project, scratch]) rmSync(folder, { recursive: true, force: true });
});

/** The environment of a user who has nothing cached and no package sources of his own. */
function bareEnvironment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|PIP_)/i.test(name));
  const caches = { npm_config_cache: join(scratch, 'npm-cache'), PIP_NO_CACHE_DIR: '1', PIP_CONFIG_FILE: '/dev/null' };
  return { ...Object.fromEntries(kept), ...caches, ...more };
}

/** A PATH that holds these programs and nothing else. */
function pathOf(programs: Record<string, string>): string {
  const folder = join(scratch, 'bin');
  mkdirSync(folder, { recursive: true });
  for (const [name, target] of Object.entries(programs)) symlinkSync(target, join(folder, name));
  return folder;
}

const python = () => findPython().executable as string;

function setUp(environment: NodeJS.ProcessEnv, ...args: string[]) {
  const program = join(project, 'kernel-setup/setup.mjs');
  return spawnSync(process.execPath, [program, ...args], { cwd: project, encoding: 'utf8', env: environment });
}

/** One sentence, the remedy, exit 1, and nothing half-installed. */
function expectFault(run: { status: number | null; stderr: string; stdout: string }, sentence: RegExp, remedy: RegExp) {
  expect(run.stderr).toMatch(sentence);
  expect(run.stderr).toMatch(remedy);
  expect(run.stderr.trim().split('\n').length).toBeLessThanOrEqual(3);
  expect(run.stderr).not.toMatch(/^\s+at /m);
  expect(run.status).toBe(1);
  for (const made of ['node_modules', '.venv', 'dist', '.pathlab/building']) {
    expect(existsSync(join(project, made)), made).toBe(false);
  }
}

describe('bad ground', () => {
  it('no C++ compiler', () => {
    const run = setUp(bareEnvironment({ PATH: pathOf({ python3: python() }) }));
    expectFault(run, /^set-up: no C\+\+ compiler was found \(tried g\+\+, c\+\+, clang\+\+\)\./, /Remedy: .*g\+\+/);
  });

  it('a C++ compiler that cannot do C++17', () => {
    const old = join(scratch, 'old-compiler');
    writeFileSync(old, '#!/bin/sh\necho "error: unrecognized option -std=c++17" >&2\nexit 1\n');
    chmodSync(old, 0o755);
    const run = setUp(bareEnvironment({ CXX: old }));
    expectFault(run, /old-compiler cannot compile C\+\+17 \(error: unrecognized option/, /Remedy: install one/);
  });

  it('no Python', () => {
    const run = setUp(bareEnvironment({ PATH: pathOf({}) }));
    expectFault(run, /no Python between 3\.11 and 3\.13 was found \(none is on the PATH\)/, /PATHLAB_PYTHON=/);
  });

  it('a Python that is too new', () => {
    const script = join(scratch, 'python-3.14');
    writeFileSync(script, `#!/bin/sh\necho '[[3, 14, 0], "/usr/bin/python3", true, "x86_64", []]'\n`);
    chmodSync(script, 0o755);
    const run = setUp(bareEnvironment({ PATH: pathOf({ python3: script }) }));
    expectFault(
      run,
      /no Python between 3\.11 and 3\.13 was found \(python3 is Python 3\.14\.0\)/,
      /install one of them/,
    );
  });

  it('a named Python that does not exist', () => {
    const run = setUp(bareEnvironment({ PATHLAB_PYTHON: join(scratch, 'no-such-python') }));
    expectFault(run, /no Python .* was found \(PATHLAB_PYTHON is .*no-such-python\)/, /install one of them/);
  });

  it('a Python without ensurepip, as Debian ships it', (context) => {
    // A copy of this machine's Python, linked file by file, less one module.
    const [prefix, name] = execFileSync(python(), [
      '-c',
      'import sys; print(sys.base_prefix); print(f"python{sys.version_info[0]}.{sys.version_info[1]}")',
    ])
      .toString()
      .trim()
      .split('\n') as [string, string];
    const library = join(scratch, 'python/lib', name);
    mkdirSync(library, { recursive: true });
    mkdirSync(join(scratch, 'python/bin'));
    for (const entry of readdirSync(join(prefix, 'lib', name))) {
      if (entry !== 'ensurepip') symlinkSync(join(prefix, 'lib', name, entry), join(library, entry));
    }
    const lesser = join(scratch, 'python/bin/python3');
    cpSync(realpathSync(python()), lesser);
    if (spawnSync(lesser, ['-c', '']).status !== 0) context.skip('this Python does not run as a copy');
    const run = setUp(bareEnvironment({ PATHLAB_PYTHON: lesser }));
    expectFault(run, /cannot make virtual environments: .* has no ensurepip module/, /apt install python3-venv/);
  });

  it.skipIf(nvidiaDriver().found)('--device gpu without a GPU', () => {
    const run = setUp(bareEnvironment(), '--device', 'gpu');
    expectFault(run, /a GPU was requested, but this machine has no usable one: .*(libcuda|GPU device)/, /--device cpu/);
  });

  it('an unknown device', () => {
    expectFault(setUp(bareEnvironment(), '--device', 'tpu'), /--device takes cpu or gpu, not tpu/, /--device cpu\|gpu/);
  });

  it.skipIf(process.platform !== 'linux' || process.getuid?.() !== 0)(
    'a disk that is too full (needs root to mount one)',
    (context) => {
      const disk = join(scratch, 'disk');
      mkdirSync(disk);
      const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', disk]);
      if (mount.status !== 0) context.skip('this machine does not let a small disk be mounted');
      try {
        cpSync(project, disk, { recursive: true });
        rmSync(project, { recursive: true });
        project = disk;
        expectFault(
          setUp(bareEnvironment()),
          /the disk is too full: set-up needs [\d.]+ GB in .*, but only 0\.\d GB are free/,
          /free some space/,
        );
      } finally {
        spawnSync('umount', [disk]);
      }
    },
  );
});

describe('package sources that fail', () => {
  it('the npm registry cannot be reached', async () => {
    const registry = `http://127.0.0.1:${await closedPort()}`;
    const run = setUp(bareEnvironment({ npm_config_registry: registry }));
    expectFault(
      run,
      /Installing the npm packages failed: the npm registry cannot be reached/,
      /check the network, the proxy/,
    );
    expect(run.stderr).toMatch(/Log: \.pathlab\/logs\/npm-packages\.log/);
    expect(readFileSync(join(project, '.pathlab/logs/npm-packages.log'), 'utf8')).toMatch(/ECONNREFUSED/);
  });

  it('the Python package index cannot be reached', async () => {
    const silent = await silentServer();
    const run = await setUpInBackground(
      bareEnvironment({
        npm_config_registry: silent.address,
        PIP_INDEX_URL: `http://127.0.0.1:${await closedPort()}/simple`,
      }),
    ).ended;
    silent.server.close();
    expectFault(
      run,
      /Installing the Python packages failed: the Python package index cannot be reached/,
      /check the network/,
    );
  });

  it('a package does not have its pinned checksum', async () => {
    const wheels = join(scratch, 'wheels');
    mkdirSync(wheels);
    const program = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr("tampered-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tampered\\nVersion: 1.0\\n")
    wheel.writestr("tampered-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
    wheel.writestr("tampered-1.0.dist-info/RECORD", "")`;
    execFileSync(python(), ['-c', program, join(wheels, 'tampered-1.0-py3-none-any.whl')]);
    writeFileSync(
      join(project, 'kernel-setup/python/requirements.txt'),
      `tampered==1.0 --hash=sha256:${'0'.repeat(64)}\n`,
    );
    const silent = await silentServer();
    const sources = { PIP_NO_INDEX: '1', PIP_FIND_LINKS: wheels, npm_config_registry: silent.address };
    const run = await setUpInBackground(bareEnvironment(sources)).ended;
    silent.server.close();
    expectFault(run, /do not have the pinned checksums/, /do not use it/);
  });
});

describe('a set-up that is stopped', () => {
  let silent: { server: Server; address: string };
  beforeEach(async () => {
    silent = await silentServer();
  });
  afterEach(() => {
    silent.server.close();
  });

  /** A set-up that waits for its package sources, and the children that it runs. */
  async function waitingSetUp() {
    const sources = { npm_config_registry: silent.address, PIP_INDEX_URL: `${silent.address}/simple` };
    const run = setUpInBackground(bareEnvironment(sources));
    const lock = join(project, '.pathlab/lock');
    const own = `${run.child.pid}-${startTime(run.child.pid)}`;
    const children = () => {
      const file = join(lock, own);
      return existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    };
    while (children().length < 2) await sleep(20);
    return { ...run, children: children() };
  }
  const alive = (children: string[]) =>
    children.filter((child) => {
      const [pid, start] = child.split('-');
      return startTime(Number(pid)) === start;
    });

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('%s ends its children too and exits %i without a stack trace', async (signal, status) => {
    const run = await waitingSetUp();
    expect(alive(run.children).length).toBeGreaterThan(0);
    run.child.kill(signal);
    const { status: ended, stderr } = await run.ended;
    expect(ended).toBe(status);
    expect(stderr).toMatch(new RegExp(`set-up: stopped by ${signal}`));
    expect(stderr).not.toMatch(/^\s+at /m);
    while (alive(run.children).length > 0) await sleep(20);
    expect(readdirSync(join(project, '.pathlab/lock'))).toEqual([]);
  });

  it('SIGKILL leaves children, which the next set-up ends before it begins', async () => {
    const killed = await waitingSetUp();
    killed.child.kill('SIGKILL');
    await killed.ended;
    const next = await waitingSetUp();
    expect(alive(killed.children)).toEqual([]);
    next.child.kill('SIGTERM');
    await next.ended;
  });

  it('a second set-up waits for the first, says for whom, and goes on when it is gone', async () => {
    const first = await waitingSetUp();
    const second = setUpInBackground(bareEnvironment({ PATH: pathOf({}) }));
    while (!second.output().includes('waiting')) await sleep(20);
    expect(second.output()).toContain(`set-up: waiting for process ${first.child.pid}`);
    first.child.kill('SIGKILL');
    // It gets as far as finding that its own machine has no Python.
    expect((await second.ended).stderr).toMatch(/no Python/);
    await first.ended;
  });
});

function setUpInBackground(environment: NodeJS.ProcessEnv) {
  const child: ChildProcess = spawn(process.execPath, [join(project, 'kernel-setup/setup.mjs')], {
    cwd: project,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout?.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    stderr += chunk;
  });
  // 'exit', not 'close': children of a killed set-up may hold its output open.
  const ended = once(child, 'exit').then(([status]) => ({ status: status as number | null, stdout, stderr }));
  return { child, ended, output: () => stdout + stderr };
}

/** A port on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}

/** A package source that takes every connection and never answers. */
async function silentServer() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
  return { server, address: `http://127.0.0.1:${(server.address() as { port: number }).port}` };
}
