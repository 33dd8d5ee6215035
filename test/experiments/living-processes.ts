import { readdirSync, readFileSync } from 'node:fs';

/** A living process with its variables, as Linux tells. */
export interface LivingProcess {
  pid: number;
  variables: Readonly<Record<string, string>>;
}

/** The living processes that were started with a variable of this value. */
export function processesWith(name: string, value: string): LivingProcess[] {
  return readdirSync('/proc').flatMap((pid) => {
    if (!/^\d+$/.test(pid)) return [];
    try {
      const lines = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (!lines.includes(`${name}=${value}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8')))
        return [];
      const variables = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s) as [string, string]));
      return [{ pid: Number(pid), variables }];
    } catch {
      // It has ended meanwhile, or is somebody else's.
      return [];
    }
  });
}

/** The living workers of a launcher, also after its end. */
export const workersOf = (launcher: number) => processesWith('PATHLAB_LAUNCHER', String(launcher));
