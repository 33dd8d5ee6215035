import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inState } from './paths.mjs';

// One set-up at a time. Each run that wants the lock puts a file `<pid>-<start time>` into `.pathlab/lock` and holds the
// lock if no other living run has one there. Since a file is only ever removed by its owner or after its owner's death
// (a reused pid has another start time), a stale lock needs no cleaning by hand and taking it over has no race.
// The file's lines are the children that the run started: a run that was killed leaves them to its successor to end.

const folder = () => inState('lock');

/** When a process began, in a form that only has to be compared; undefined if there is no such process. */
export function startTime(pid) {
  if (process.platform === 'linux') {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? undefined : fields[19];
    } catch {
      return undefined;
    }
  }
  const answer = spawnSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
  return answer.stdout?.trim().replace(/[^\w]+/g, '_') || undefined;
}

const identity = (pid) => `${pid}-${startTime(pid)}`;
const pidOf = (name) => Number(name.split('-')[0]);
const isAlive = (name) => identity(pidOf(name)) === name;

/** The other living runs that hold the lock or are asking for it; of dead ones the children are ended. */
async function others(own) {
  const names = readdirSync(folder()).filter((name) => name !== own);
  const living = names.filter(isAlive);
  for (const name of names) if (!living.includes(name)) await endOrphans(name);
  return living;
}

async function endOrphans(name) {
  let children = [];
  try {
    children = readFileSync(join(folder(), name), 'utf8').split('\n').filter(Boolean);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  for (const child of children) {
    while (isAlive(child)) {
      killGroup(pidOf(child));
      await sleep(20);
    }
  }
  rmSync(join(folder(), name), { force: true });
}

/** Ends a child and all that it started: each child leads a process group of its own. */
export function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** The pid of the living run that holds the lock, or undefined. */
export function lockHolder() {
  try {
    const name = readdirSync(folder()).find(isAlive);
    return name && pidOf(name);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Takes the lock, after the run that holds it if there is one.
 *
 * @param {(pid: number) => void} onWait called once, with the pid that is waited for
 * @returns the lock: `register(pid)` notes a child, `release()` gives the lock back
 */
export async function takeLock(onWait) {
  mkdirSync(folder(), { recursive: true });
  const own = identity(process.pid);
  const file = join(folder(), own);
  const release = () => rmSync(file, { force: true });
  let told = false;
  for (;;) {
    writeFileSync(file, '');
    let living = await others(own);
    if (living.length === 0) return { register: (pid) => appendFileSync(file, `${identity(pid)}\n`), release };
    release();
    if (!told) onWait(pidOf(living[0]));
    told = true;
    // Two that ask at the same moment both step back; the random pause lets one of them be first.
    await sleep(100 + Math.random() * 200);
    while (living.length > 0) {
      living = await others(own);
      if (living.length > 0) await sleep(200);
    }
  }
}
