const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** Text as HTML or SVG shows it, also inside an attribute in quotes. */
export function escapeMarkup(text: unknown): string {
  return String(text).replace(/[&<>"']/g, (character) => escapes[character] as string);
}
