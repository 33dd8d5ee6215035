import { escapeMarkup } from './html.js';
import { display, html } from './show.js';

/** Says in a sentence why there is no figure. */
export async function sayInstead(...sentences: readonly string[]): Promise<void> {
  if (sentences.length > 0) await display(html(`<p>${sentences.map(escapeMarkup).join('<br>')}</p>`));
}
