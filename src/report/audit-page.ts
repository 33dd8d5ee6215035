import { type AuditedImages, auditText, leakTable, nearDuplicateImages, type SplitAudit } from '../datasets/index.js';
import { escapeMarkup as text } from './html.js';
import { drawImageGrid } from './image-grid.js';
import { tableBundle } from './table.js';

/** An audit with the name of what was audited: a fold, or an existing split. */
export interface NamedAudit {
  name: string;
  audit: SplitAudit;
}

/** Pairs that a page shows; the tables list all. */
const maxPairs = 24;

/**
 * Audits as one self-contained page: warnings, the result in a sentence, each leak, and the images of near-duplicates
 * side by side, the nearest first.
 */
export async function auditPage(
  audited: AuditedImages,
  audits: readonly NamedAudit[],
  warnings: readonly string[] = [],
): Promise<string> {
  const sections: string[] = [];
  for (const { name, audit } of audits) {
    const leaks = leakTable(audit);
    const verdict = !audit.clean ? 'leaks' : warnings.length > 0 ? 'warned' : 'clean';
    sections.push(
      `<h2>${text(name)}</h2>`,
      `<p class="${verdict}">${text(auditText(audit, warnings))}</p>`,
      leaks.numRows() > 0 ? tableBundle(leaks.objects() as Record<string, unknown>[])['text/html']! : '',
      await pairsOf(audited, audit),
    );
  }
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>Audit of ${text(audited.name)}</title>
<style>
:root { color-scheme: light dark; --ink: #1f2933; --paper: #fff; --line: #d9dfe5; --good: #0b6b4d; --bad: #a63200; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6ebf0; --paper: #14181d; --line: #343d47; --good: #5fd0a5;
  --bad: #ff9d73; } }
h1 { overflow-wrap: anywhere; line-height: 1.2; }
body { margin: 0 auto; padding: 2rem 1rem; max-width: 70rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, "Segoe UI", "Source Sans 3", "DejaVu Sans", sans-serif; }
table { border-collapse: collapse; font-size: .85rem; } td, th { padding: .2rem .8rem .2rem 0; vertical-align: top;
  overflow-wrap: anywhere; border-bottom: 1px solid var(--line); }
img { max-width: 100%; height: auto; background: #fff; } .clean { color: var(--good); } .leaks { color: var(--bad); }
</style>
</head>
<body>
<h1>Audit of ${text(audited.name)}</h1>
<p>${text(comparedText(audited))}</p>
${warnings.map((warning) => `<p class="leaks">Warning: ${text(warning)}.</p>`).join('\n')}
${sections.join('\n')}
</body>
</html>
`;
}

/** How many images were compared. */
export function comparedText({ images, total, otherFiles }: AuditedImages): string {
  const compared =
    images.length === total
      ? `All ${total} images were compared.`
      : `${images.length} of ${total} images were compared, some of each slide. Slides, patients and sites were checked for ` +
        `all; exact duplicates and similar images among the other ${total - images.length} are unknown.`;
  return otherFiles === 0 ? compared : `${compared} ${otherFiles} other files do not have an image's extension.`;
}

async function pairsOf(audited: AuditedImages, { nearDuplicates: near }: SplitAudit): Promise<string> {
  if (near.length === 0) return '';
  const images = await nearDuplicateImages(near, (place) => audited.read(place), {
    maxPairs,
    mark: (place) => (audited.images[place]!.synthetic ? 'SYNTHETIC' : undefined),
  });
  const shown = Math.min(maxPairs, near.length);
  const alt = `the nearest ${shown} of ${near.length} pairs of images across splits that look alike, side by side`;
  const { png, width, height } = await drawImageGrid(images, { columns: 4, cell: 250, alt });
  const data = Buffer.from(png).toString('base64');
  return `<p>${text(alt)}:</p><img width="${width}" height="${height}" alt="${text(alt)}" src="data:image/png;base64,${data}">`;
}
