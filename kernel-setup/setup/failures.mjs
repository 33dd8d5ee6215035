import { ChildFailure } from './children.mjs';
import { Fault } from './fault.mjs';

const unreachable =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Failed to establish a new connection|Temporary failure in name resolution|ProxyError|SSLError|UNABLE_TO_GET_ISSUER_CERT/;
const diskFull = /ENOSPC|No space left on device|Errno 28|Disk quota exceeded|EDQUOT/i;
const wrongChecksum = /EINTEGRITY|DO NOT MATCH THE HASHES/;

/**
 * Turns the failure of a package manager or compiler into a sentence and a remedy.
 *
 * @param {unknown} error what was thrown
 * @param {{what: string, source?: string, remedy?: string}} doing what was being done, the package source that it needed,
 *   and what to do if it failed for a reason of its own
 */
export function explain(error, { what, source, remedy = 'read the log; `npm run setup -- --force` starts over.' }) {
  if (diskFull.test(error.output ?? error.message)) {
    return new Fault(
      `${what} failed: the disk is full.`,
      'free some space, then run `npm run setup` again.',
      error.log,
    );
  }
  if (['EACCES', 'EPERM', 'EROFS'].includes(error.code)) {
    return new Fault(
      `${what} failed: ${error.path} cannot be written.`,
      'change its permissions so that you can write to it.',
    );
  }
  if (!(error instanceof ChildFailure)) return error;
  if (wrongChecksum.test(error.output)) {
    return new Fault(
      `${what} failed: the files from ${source} do not have the pinned checksums.`,
      'do not use it; check the mirror or proxy between here and the source, then run `npm run setup` again.',
      error.log,
    );
  }
  if (source && unreachable.test(error.output)) {
    return new Fault(
      `${what} failed: ${source} cannot be reached.`,
      'check the network, the proxy and the configured package source, then run `npm run setup` again.',
      error.log,
    );
  }
  if (/code EUSAGE/.test(error.output)) {
    return new Fault(
      `${what} failed: package.json and package-lock.json do not agree.`,
      'restore both from the repository, or recreate the lock file with npm.',
      error.log,
    );
  }
  const lines = error.output.split('\n').map((line) => line.trim());
  const said = lines.find((line) => /error/i.test(line)) ?? lines.findLast(Boolean) ?? error.message;
  return new Fault(`${what} failed: ${said.slice(0, 300)}`, remedy, error.log);
}
