const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Escapes text for HTML and SVG, also for quoted attributes. */
export function escapeMarkup(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (character) => escapes[character] as string);
}
