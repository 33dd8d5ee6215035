import { randomUUID } from 'node:crypto';
import { kernelServices } from '../base/index.js';

/**
 * One output in several formats; a notebook front end shows the richest that it supports. Every bundle has
 * `text/plain`, a description in words.
 */
export interface MimeBundle {
  'text/plain': string;
  'text/html'?: string;
  /** Base64. */
  'image/png'?: string;
  [mimeType: string]: unknown;
}

/** Per MIME type, as Jupyter defines it: `{'image/png': {width, height}}` in CSS px. */
export type DisplayMetadata = Record<string, unknown>;

/** The rich output of a value: several formats, with Jupyter's metadata. */
export type Output = [MimeBundle, DisplayMetadata];

/** Shows a bundle as output of the running cell; outside a notebook its `text/plain` goes to the terminal. */
export function showBundle(data: MimeBundle, metadata: DisplayMetadata = {}): void {
  const kernel = kernelServices();
  if (kernel) kernel.display({ data, metadata });
  else console.log(data['text/plain']);
}

/** Shows Markdown: text that depends on results. */
export function showText(markdown: string): void {
  showBundle({ 'text/plain': markdown, 'text/markdown': markdown });
}

/** One output that changes in place; the notebook file keeps its last state. */
export interface LiveDisplay {
  update(data: MimeBundle, metadata?: DisplayMetadata): void;
}

/** The output appears with the first update. Outside a notebook each changed text is printed as a line. */
export function newLiveDisplay(): LiveDisplay {
  const displayId = randomUUID();
  let shown = false;
  let lastText: string | undefined;
  return {
    update(data, metadata = {}) {
      const kernel = kernelServices();
      if (kernel) kernel.display({ data, metadata, displayId, update: shown });
      else if (data['text/plain'] !== lastText) console.log(data['text/plain']);
      shown = true;
      lastText = data['text/plain'];
    },
  };
}

/** Removes the running cell's output so far; with `wait` only when its next output comes. Outside a notebook, nothing. */
export function clearOutput(wait = false): void {
  kernelServices()?.clearOutput(wait);
}
