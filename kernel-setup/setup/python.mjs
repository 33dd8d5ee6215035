import { spawnSync } from 'node:child_process';
import { Fault } from './fault.mjs';

const oldest = 11;
const newest = 13;
/** The user's own default first, then the versions that TensorFlow 2.21 has wheels for. */
const candidates = ['python3', 'python3.13', 'python3.12', 'python3.11'];

const question = `
import importlib.util, json, platform, sys
missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
print(json.dumps([list(sys.version_info[:3]), sys.executable, sys.maxsize > 2**32, platform.machine(), missing]))`;

/** What a Python says about itself, or why it cannot be used. */
function examine(command) {
  const answer = spawnSync(command, ['-I', '-c', question], { encoding: 'utf8', timeout: 30_000 });
  if (answer.error?.code === 'ENOENT') return { absent: true };
  if (answer.error || answer.status !== 0) {
    const said = (answer.stderr ?? '').trim().split('\n').at(-1) || answer.error?.message || `exit ${answer.status}`;
    return { reason: `${command} does not run (${said})` };
  }
  const [[major, minor, patch], executable, is64Bit, machine, missing] = JSON.parse(answer.stdout);
  const version = `${major}.${minor}.${patch}`;
  if (major !== 3 || minor < oldest || minor > newest) return { reason: `${command} is Python ${version}` };
  const wanted = { x64: ['x86_64', 'AMD64'], arm64: ['arm64', 'aarch64'] }[process.arch] ?? [machine];
  if (!is64Bit || !wanted.includes(machine)) {
    return { reason: `${command} is built for another processor (${machine}, ${is64Bit ? 64 : 32} bit)` };
  }
  if (missing.length > 0) {
    return { reason: `${command} (${version}) has no ${missing.join(' and ')} module`, lacksVenv: `3.${minor}` };
  }
  return { executable, version };
}

/**
 * A Python that can make the project's environment.
 *
 * @returns {{executable: string, version: string}}
 * @throws Fault that says what each Python lacks
 */
export function findPython() {
  const asked = process.env.PATHLAB_PYTHON;
  const answers = (asked ? [asked] : candidates).map(examine);
  const usable = answers.find((answer) => answer.executable);
  if (usable) return usable;
  const reasons = answers.map((answer) => answer.reason).filter(Boolean);
  const lacking = answers.find((answer) => answer.lacksVenv);
  if (lacking) {
    throw new Fault(
      `Python cannot make virtual environments: ${reasons.join('; ')}.`,
      'install the module (`sudo apt install python3-venv` on Debian and Ubuntu), then run `npm run setup` again.',
    );
  }
  const found = asked ? `PATHLAB_PYTHON is ${asked}` : 'none is on the PATH';
  throw new Fault(
    `no Python between 3.${oldest} and 3.${newest} was found (${reasons.join('; ') || found}).`,
    'install one of them, or name it with PATHLAB_PYTHON=/path/to/python3.12, then run `npm run setup` again.',
  );
}
