/**
 * Checks a URL: https, or plain http on this machine (a mirror, a test). User names and passwords are refused, since
 * URLs are written into lock files and errors.
 *
 * @throws RangeError with the problem
 */
export function checkUrl(address: string | URL): URL {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new RangeError(`"${address}" is not a URL`);
  }
  if (url.username || url.password) {
    throw new RangeError(`${redactedUrl(url)}: the URL holds a name or password; pass tokens in the environment`);
  }
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url))) {
    throw new RangeError(`${redactedUrl(url)}: only https is allowed (plain http only on this machine itself)`);
  }
  return url;
}

/** A URL for messages and files: without query, which may hold a signature, user name and password. */
export function redactedUrl(address: string | URL): string {
  const url = new URL(address);
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
