// Local servers that answer as the public sources of slides do (the GDC's files and data endpoints, a bucket's XML
// listing), with faults on request. Tests and campaigns run the real downloader against them.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * @typedef {object} Fault what goes wrong with one answer
 * @property {number} [status] the answer is this failure
 * @property {number | string} [retryAfter] with that header
 * @property {string} [redirect] the answer leads there
 * @property {boolean} [hang] no answer comes
 * @property {number} [dropAfter] the connection is dropped after so many bytes of the body
 * @property {number} [trickle] so many bytes come, and then one a tenth of a second
 * @property {number} [short] the file is so many bytes shorter than the list says
 * @property {boolean} [corrupt] one byte of the body is another
 * @property {boolean} [ignoreRange] the whole is sent, whatever part was asked for
 * @property {string} [etag] the content has another ETag, and other bytes
 */

/**
 * Starts a server on the loopback address.
 *
 * @param {(request, response, body: string) => Promise<void>} answer
 * @returns {Promise<{url: string, requests: {method, path, headers, body}[], close(): Promise<void>}>}
 */
export async function startServer(answer) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    requests.push({ method: request.method, path: request.url, headers: request.headers, body });
    try {
      await answer(request, response, body);
    } catch (error) {
      response.destroy(error);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export const md5 = (content) => createHash('md5').update(content).digest('hex');
export const sha256 = (content) => createHash('sha256').update(content).digest('hex');

/**
 * Answers with a file as static servers do: ranges, If-Range, ETag; or with a fault.
 *
 * @param {{content: Buffer, etag?: string, fault?: Fault, bytesPerSecond?: number}} file
 */
export async function sendFile(request, response, { content, etag = `"${md5(content)}"`, fault = {}, bytesPerSecond }) {
  if (fault.hang) return;
  if (fault.redirect) {
    response.writeHead(302, { location: fault.redirect }).end();
    return;
  }
  if (fault.status) {
    const head = fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) };
    response.writeHead(fault.status, head).end('something is wrong');
    return;
  }
  if (fault.short) content = content.subarray(0, content.length - fault.short);
  if (fault.corrupt || fault.etag) {
    content = Buffer.from(content);
    content[content.length >> 1] ^= 255;
  }
  if (fault.etag) etag = fault.etag;
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const unchanged = request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
  const first = range && unchanged && !fault.ignoreRange ? Number(range[1]) : 0;
  if (first >= content.length) {
    response.writeHead(416, { 'content-range': `bytes */${content.length}` }).end();
    return;
  }
  const part = content.subarray(first);
  response.writeHead(first > 0 ? 206 : 200, {
    'content-length': part.length,
    etag,
    'accept-ranges': 'bytes',
    ...(first > 0 && { 'content-range': `bytes ${first}-${content.length - 1}/${content.length}` }),
  });
  await sendBody(response, part, fault, bytesPerSecond);
}

async function sendBody(response, part, fault, bytesPerSecond) {
  const { dropAfter, trickle } = fault;
  if (dropAfter !== undefined) {
    response.write(part.subarray(0, dropAfter));
    await sleep(20);
    response.destroy();
    return;
  }
  if (trickle !== undefined) {
    response.write(part.subarray(0, trickle));
    for (let place = trickle; place < part.length && !response.destroyed; place++) {
      await sleep(100);
      response.write(part.subarray(place, place + 1));
    }
    response.end();
    return;
  }
  if (bytesPerSecond === undefined) {
    response.end(part);
    return;
  }
  const step = Math.max(1, Math.round(bytesPerSecond / 100));
  for (let place = 0; place < part.length && !response.destroyed; place += step) {
    response.write(part.subarray(place, place + step));
    await sleep(10);
  }
  response.end();
}

/**
 * A server of files by path.
 *
 * @param {Record<string, Buffer>} files
 * @param {{fault?: (path: string, times: number) => Fault | undefined, bytesPerSecond?: number}} [options]
 *   `times`: how often the path was asked for, from 1
 */
export async function startFiles(files, options = {}) {
  const asked = new Map();
  return startServer(async (request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://here').pathname.slice(1));
    const content = files[path];
    if (!content) {
      response.writeHead(404).end();
      return;
    }
    const times = (asked.get(path) ?? 0) + 1;
    asked.set(path, times);
    await sendFile(request, response, {
      content,
      fault: options.fault?.(path, times),
      bytesPerSecond: options.bytesPerSecond,
    });
  });
}
