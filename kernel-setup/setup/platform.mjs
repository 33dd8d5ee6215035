import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { Fault } from './fault.mjs';
import { projectRoot } from './paths.mjs';

const platforms = {
  'linux-x64': { tested: true },
  'linux-arm64': { tested: false },
  'darwin-arm64': { tested: false },
};

/**
 * Why TensorFlow's wheels cannot run here, or undefined if they can.
 *
 * @param {{platform: string, glibc?: string, cpuFlags?: string}} machine platform such as `linux-x64`; on Linux glibc's
 *   version, empty on a system that has another C library
 */
export function platformFault({ platform, glibc, cpuFlags }) {
  if (!(platform in platforms)) return `pathlab does not run on ${platform}`;
  if (!platform.startsWith('linux')) return undefined;
  if (!glibc) return 'this Linux has no glibc (Alpine?), which the TensorFlow wheels need';
  const [major, minor] = glibc.split('.').map(Number);
  if (major === 2 && minor < 27) return `glibc ${glibc} is older than 2.27, which the TensorFlow wheels need`;
  if (platform === 'linux-x64' && cpuFlags !== undefined && !/\bavx\b/.test(cpuFlags)) {
    return 'this CPU has no AVX instructions, which the TensorFlow wheels need';
  }
  return undefined;
}

/** What `platformFault` asks about this machine. */
export function thisMachine() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return { platform };
  const glibc = process.report.getReport().header.glibcVersionRuntime ?? '';
  const cpuFlags = /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
  return { platform, glibc, cpuFlags };
}

/** @throws Fault on a platform that cannot work; says so on one that nobody has tested. */
export function checkPlatform(say) {
  const machine = thisMachine();
  const fault = platformFault(machine);
  if (fault) {
    const works = Object.keys(platforms).join(', ');
    throw new Fault(`${fault}.`, `use one of ${works}: Linux with glibc 2.27 or later, or macOS on Apple silicon.`);
  }
  if (!platforms[machine.platform].tested) {
    say(`${machine.platform} is built for but untested: only linux-x64 is tested.`);
  }
}

const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`;

/** @throws Fault if less than `needed` bytes are free where the project is */
export async function checkDisk(needed) {
  const { bavail, bsize } = await statfs(projectRoot);
  if (bavail * bsize >= needed) return;
  throw new Fault(
    `the disk is too full: set-up needs ${gigabytes(needed)} in ${projectRoot}, but only ${gigabytes(bavail * bsize)} are free.`,
    'free some space, or move the project to a larger disk.',
  );
}
