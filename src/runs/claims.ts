import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { open, readFile, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';

/**
 * Who works on what, for processes and machines that share a folder. A claim is a file made with exclusive create; its
 * owner touches it every few seconds, and one whose owner is gone is taken over.
 *
 * Claims only save work. That two processes do the same piece, which a slow network file system can bring about, is
 * harmless: what they write depends on the piece alone, and each renames a whole file of its own into place.
 */

const heartbeatSeconds = 5;
/** A claim that its owner has not touched for so long, by the watcher's own clock, is taken over. */
const staleSeconds = 60;

interface Owner {
  machine: string;
  pid: number;
  /** When the process started, in the system's ticks, since process ids come round again; null if the system does not tell. */
  started: string | null;
  nonce: string;
  /** What else is known of the work, where others need to know. */
  about?: unknown;
}

export class Claim {
  private readonly heartbeat: NodeJS.Timeout;

  private constructor(
    private readonly path: string,
    /** This claim's, and no other's. */
    readonly nonce: string,
  ) {
    this.heartbeat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => {});
    }, heartbeatSeconds * 1000);
    this.heartbeat.unref();
  }

  /**
   * @param about JSON for those who ask whose it is
   * @returns undefined when another has it
   */
  static async take(path: string, about?: unknown): Promise<Claim | undefined> {
    const file = await open(path, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') return undefined;
      throw error;
    });
    if (!file) return undefined;
    const owner: Owner = { ...thisProcess(), nonce: randomBytes(8).toString('hex'), about };
    try {
      await file.writeFile(JSON.stringify(owner));
    } catch (error) {
      // On a full disk; without an owner it would stand until it is stale.
      await rm(path, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return new Claim(path, owner.nonce);
  }

  /** Whether it is still this one's: it may have been taken over while this process or its disk stood still. */
  async holds(): Promise<boolean> {
    return (await ownerOf(this.path))?.nonce === this.nonce;
  }

  async release(): Promise<void> {
    clearInterval(this.heartbeat);
    if (await this.holds()) await rm(this.path, { force: true });
  }
}

/** Watches the claims of others. */
export class ClaimWatch {
  private readonly seen = new Map<string, { touched: number; since: number }>();

  /** Takes away the claim at `path` if its owner is gone; returns whether there is no claim now. */
  async clearIfStale(path: string): Promise<boolean> {
    if ((await this.look(path)) !== 'gone') return false;
    this.seen.delete(path);
    await rm(path, { force: true });
    return true;
  }

  /**
   * Whether the owner of the claim at `path` is at work. Of one on another machine that shows only in time: by a touch, or
   * by none for long.
   */
  async look(path: string): Promise<'held' | 'gone' | 'unknown'> {
    const facts = await stat(path).catch(() => undefined);
    if (!facts) return 'gone';
    const owner = await ownerOf(path);
    if (owner && hasEnded(owner)) return 'gone';
    const alive = owner?.machine === machine() ? 'held' : 'unknown';
    const before = this.seen.get(path);
    if (!before || before.touched !== facts.mtimeMs) {
      this.seen.set(path, { touched: facts.mtimeMs, since: performance.now() });
      return before ? 'held' : alive;
    }
    return performance.now() - before.since > staleSeconds * 1000 ? 'gone' : alive;
  }
}

/** Whose the claim at `path` is, in words; undefined where there is none, or its owner is not written into it yet. */
export async function claimOwner(path: string): Promise<{ host: string; pid: number; about: unknown } | undefined> {
  const owner = await ownerOf(path);
  return owner && { host: owner.machine.split(' ')[0]!, pid: owner.pid, about: owner.about };
}

/** Undefined where there is no claim, or its owner has not written itself into it yet. */
async function ownerOf(path: string): Promise<Owner | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function thisProcess(): Omit<Owner, 'nonce'> {
  return { machine: machine(), pid: process.pid, started: startOf(process.pid) };
}

/** Of a process on this machine; of one elsewhere nothing is known but its heartbeat. */
function hasEnded(owner: Owner): boolean {
  if (owner.machine !== machine()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
  return startOf(owner.pid) !== owner.started;
}

/** Containers may share a host's name and not its processes; two boots of one host share neither. */
function machine(): string {
  const part = (read: () => string) => {
    try {
      return read().trim();
    } catch {
      return '';
    }
  };
  const boot = part(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8'));
  return [hostname(), boot, part(() => readlinkSync('/proc/self/ns/pid'))].join(' ');
}

function startOf(pid: number): string | null {
  try {
    // The 22nd field of proc(5)'s stat; the second is a name that may hold anything but ends with the last ")".
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = line.slice(line.lastIndexOf(')') + 2).split(' ');
    // A killed process that its parent has not asked after yet.
    return state === 'Z' ? null : (fields[18] ?? null);
  } catch {
    return null;
  }
}
