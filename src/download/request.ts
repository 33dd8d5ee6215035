import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { TransferError } from './failures.js';
import { type MinimumRate, RateWatch } from './rate.js';
import { retryAfterSeconds } from './retry.js';
import { checkUrl, redactedUrl } from './url.js';

export interface RequestOptions extends MinimumRate {
  method?: 'GET' | 'POST' | 'HEAD';
  headers?: Readonly<Record<string, string>>;
  body?: string;
  /** A header that is sent only to the URL's host and never appears in errors or logs. */
  secret?: { header: string; value: string };
  /** Allowed redirect hosts (with a non-default port), besides the URL's own. */
  redirectHosts: readonly string[];
  /** Timeout for the response headers, s. */
  answerSeconds: number;
  signal?: AbortSignal;
}

export const requestDefaults = {
  redirectHosts: [] as readonly string[],
  answerSeconds: 60,
  minimumBytesPerSecond: 1024,
  slowSeconds: 30,
};

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** The chunks of the body; fails if the server is too slow or the connection drops. */
  body: AsyncIterable<Buffer>;
  /** Closes the connection; call it unless the body is read to its end. */
  close(): void;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const maxRedirects = 5;

/**
 * Sends a request and follows redirects to allowed hosts.
 *
 * @throws RangeError for a forbidden URL; TransferError or a system error for temporary failures
 */
export async function request(address: string, options: RequestOptions): Promise<Answer> {
  const first = checkUrl(address);
  let url = first;
  for (let hop = 0; hop <= maxRedirects; hop++) {
    const message = await send(url, { ...options, secret: url.origin === first.origin ? options.secret : undefined });
    if (!redirects.has(message.statusCode!)) return answerOf(message, url, options);
    message.destroy();
    const { location } = message.headers;
    if (!location) throw new Error(`${redactedUrl(url)} redirects without naming a location`);
    const target = new URL(location, url);
    if (target.host !== first.host && !options.redirectHosts.includes(target.host)) {
      throw new Error(
        `${redactedUrl(url)} redirects to the host ${target.host}, which is not one of those allowed ` +
          `(${[first.host, ...options.redirectHosts].join(', ')})`,
      );
    }
    url = checkUrl(target);
  }
  throw new Error(`${redactedUrl(first)} redirects more than ${maxRedirects} times`);
}

/** Sends one request and waits for the response headers. */
function send(url: URL, options: RequestOptions): Promise<IncomingMessage> {
  const { secret } = options;
  return new Promise((resolve, reject) => {
    const ask = (url.protocol === 'https:' ? secureRequest : plainRequest)(url, {
      method: options.method ?? 'GET',
      headers: {
        'user-agent': 'pathlab',
        // With compression, lengths and ranges would not be the file's.
        'accept-encoding': 'identity',
        ...(options.body === undefined ? {} : { 'content-length': String(Buffer.byteLength(options.body)) }),
        ...options.headers,
        ...(secret && { [secret.header]: secret.value }),
      },
      signal: options.signal,
    });
    const late = setTimeout(() => {
      ask.destroy(new TransferError(`the server ${url.host} has not answered for ${options.answerSeconds} s`));
    }, options.answerSeconds * 1000);
    ask.once('response', (message) => {
      clearTimeout(late);
      resolve(message);
    });
    // Also during the body: errors are passed to its reader.
    ask.on('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    ask.end(options.body);
  });
}

function answerOf(message: IncomingMessage, url: URL, options: RequestOptions): Answer {
  return {
    status: message.statusCode!,
    headers: message.headers,
    body: watched(message, url, options),
    close: () => message.destroy(),
  };
}

async function* watched(message: IncomingMessage, url: URL, rate: MinimumRate): AsyncGenerator<Buffer> {
  const watch = new RateWatch(rate, () => {
    const { slowSeconds, minimumBytesPerSecond } = rate;
    message.destroy(
      new TransferError(`${url.host} sent less than ${minimumBytesPerSecond} bytes/s for ${slowSeconds} s`),
    );
  });
  try {
    for await (const chunk of message) {
      watch.came((chunk as Buffer).length);
      yield chunk as Buffer;
      watch.wait();
    }
  } finally {
    watch.end();
  }
}

/**
 * The error of an unsuccessful response; undefined for a successful one.
 *
 * @param about what was requested, for the message
 */
export function failureOf({ status, headers }: Pick<Answer, 'status' | 'headers'>, about: string): Error | undefined {
  if (status >= 200 && status < 300) return undefined;
  if (status === 401 || status === 403) {
    return new Error(`${about}: the server refuses access (${status}); a token may be missing or expired`);
  }
  if (status === 404 || status === 410) return new Error(`${about}: the server does not have this file (${status})`);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const reason = status === 429 ? 'too many requests' : 'the server has an internal error';
    return new TransferError(`${about}: ${reason} (${status})`, retryAfterSeconds(headers['retry-after']));
  }
  return new Error(`${about}: the server answers ${status}`);
}

/** Reads a short response. */
export async function readText(answer: Answer, about: string, maxBytes = 64 * 2 ** 20): Promise<string> {
  const failure = failureOf(answer, about);
  if (failure) {
    answer.close();
    throw failure;
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`${about}: the response is longer than ${maxBytes} bytes`);
  }
  const { 'content-length': length } = answer.headers;
  if (length !== undefined && bytes !== Number(length)) throw new TransferError(`${about}: the response ended early`);
  return Buffer.concat(chunks).toString('utf8');
}
