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
    await new Promise((sent) => response.write(part.subarray(0, dropAfter), sent));
    // Long enough for the client to take what came, also on a busy machine.
    await sleep(500);
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

/**
 * A server that answers as the Genomic Data Commons does: POST /files with a page's size and place, GET /data/ID.
 *
 * @param {{file_id: string, file_name: string, cases: object[], content?: Buffer, md5sum?: string, file_size?: number}[]} hits
 * @param {{fault?: (path: string, times: number) => Fault | undefined, bytesPerSecond?: number}} [options]
 */
export async function startGdc(hits, options = {}) {
  const listed = hits.map(({ content, ...hit }) => ({
    ...(content && { md5sum: md5(content), file_size: content.length }),
    ...hit,
  }));
  const ordered = [...listed].sort((one, other) => (one.file_id < other.file_id ? -1 : 1));
  const contents = new Map(hits.map(({ file_id, content }) => [file_id, content]));
  const asked = new Map();
  return startServer(async (request, response, body) => {
    const times = (asked.get(request.url) ?? 0) + 1;
    asked.set(request.url, times);
    const fault = options.fault?.(request.url, times);
    if (request.method === 'POST' && request.url === '/files' && !fault) {
      const { from = 0, size = 10 } = JSON.parse(body);
      const page = ordered.slice(from, from + size);
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          data: {
            hits: page.map((hit) => ({ id: hit.file_id, ...hit })),
            pagination: { count: page.length, total: ordered.length, size, from, sort: 'file_id:asc' },
          },
          warnings: {},
        }),
      );
      return;
    }
    const content = contents.get(request.url.replace('/data/', '')) ?? (fault && Buffer.from('none'));
    if (content) await sendFile(request, response, { content, fault, bytesPerSecond: options.bytesPerSecond });
    else response.writeHead(404).end();
  });
}

const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');

/**
 * A server that answers as a public bucket does: ListObjectsV2 in pages, and the objects themselves.
 *
 * @param {Record<string, Buffer | {bytes: number, etag: string}>} objects contents, or what the listing is to say
 * @param {{pageSize?: number, fault?: (path: string, times: number) => Fault | undefined, bytesPerSecond?: number}} [options]
 */
export async function startBucket(objects, options = {}) {
  const pageSize = options.pageSize ?? 1000;
  const asked = new Map();
  return startServer(async (request, response) => {
    const url = new URL(request.url, 'http://here');
    const key = decodeURIComponent(url.pathname.slice(1));
    const times = (asked.get(request.url) ?? 0) + 1;
    asked.set(request.url, times);
    const fault = options.fault?.(request.url, times);
    if (key === '' && url.searchParams.get('list-type') === '2' && !fault) {
      const prefix = url.searchParams.get('prefix') ?? '';
      const keys = Object.keys(objects)
        .filter((name) => name.startsWith(prefix))
        .sort();
      const from = Number(url.searchParams.get('continuation-token') ?? 0);
      const page = keys.slice(from, from + pageSize);
      const goesOn = from + pageSize < keys.length;
      const contents = page.map((name) => {
        const object = objects[name];
        const { bytes, etag } = Buffer.isBuffer(object) ? { bytes: object.length, etag: `"${md5(object)}"` } : object;
        return `<Contents><Key>${escapeXml(name)}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>${escapeXml(etag)}</ETag><Size>${bytes}</Size><StorageClass>STANDARD</StorageClass></Contents>`;
      });
      response
        .writeHead(200, { 'content-type': 'application/xml' })
        .end(
          `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` +
            `<Name>bucket</Name><Prefix>${escapeXml(prefix)}</Prefix><KeyCount>${page.length}</KeyCount><MaxKeys>${pageSize}</MaxKeys>` +
            `<IsTruncated>${goesOn}</IsTruncated>${contents.join('')}` +
            `${goesOn ? `<NextContinuationToken>${from + pageSize}</NextContinuationToken>` : ''}</ListBucketResult>`,
        );
      return;
    }
    const content = objects[key];
    if (Buffer.isBuffer(content) || fault) {
      await sendFile(request, response, {
        content: content ?? Buffer.from('none'),
        fault,
        bytesPerSecond: options.bytesPerSecond,
      });
    } else response.writeHead(404).end();
  });
}
