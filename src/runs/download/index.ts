export { checkAddress, shownAddress } from './address.js';
export type { Download } from './download-file.js';
export {
  type DownloadOptions,
  type DownloadProgress,
  type DownloadResult,
  downloadAll,
  gigabytes,
} from './downloads.js';
export { DiskFullError } from './failures.js';
export { arrivedAs, type ReceivedRecord, readReceived } from './received.js';
export { type RequestOptions, readText, request, requestDefaults } from './request.js';
export { type RetryOptions, retryDefaults, withRetries } from './retry.js';
