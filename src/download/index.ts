export type { Download } from './download-file.js';
export {
  type DownloadOptions,
  type DownloadProgress,
  type DownloadResult,
  downloadAll,
  gigabytes,
  withDefaults,
} from './downloads.js';
export { isTransient, reasonOf } from './failures.js';
export { type ReceivedRecord, readReceived, untouchedRecord } from './received.js';
export { type RequestOptions, readText, request } from './request.js';
export { type RetryOptions, withRetries } from './retry.js';
export { checkUrl, redactedUrl } from './url.js';
