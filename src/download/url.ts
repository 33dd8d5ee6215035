/**
 * Which addresses may be asked: https, and plain http on this machine itself (a mirror, a test). Names and passwords
 * in an address are refused, since addresses are written into lock files and errors.
 *
 * @throws RangeError that says what is wrong with the address
 */
export function checkUrl(address: string | URL): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new RangeError(`"${address}" is not a URL`);
  }
  if (url.username || url.password) {
    throw new RangeError(`${redactedUrl(url)}: the address holds a name or password; give tokens by the environment`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))) {
    throw new RangeError(`${redactedUrl(url)}: only https is allowed (plain http only on this machine itself)`);
  }
  return url;
}

/** An address for people and files: without its query, which may hold a signature, and without name and password. */
export function redactedUrl(address: string | URL): string {
  const url = new URL(address);
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
