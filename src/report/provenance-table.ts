import type { Provenance } from '../runs/index.js';
import { showTable } from './table.js';

/** Shows where a run's numbers come from: the command that makes them again and the hashes of all that went in. */
export async function showProvenance(provenance: Provenance): Promise<void> {
  await showTable(provenanceRows(provenance), {
    caption: 'Provenance',
    columns: { what: 'What', value: 'Value' },
  });
}

export function provenanceRows(provenance: Provenance): { what: string; value: string }[] {
  const each = (title: string, entries: Record<string, unknown>) =>
    Object.entries(entries).map(([name, value]) => ({ what: `${title} ${name}`, value: inWords(value) }));
  return [
    { what: 'command', value: provenance.command },
    { what: 'seed', value: String(provenance.seed) },
    { what: 'run', value: provenance.runHash },
    { what: 'commit', value: provenance.gitCommit ?? 'not a git checkout' },
    { what: 'time', value: `${provenance.started} to ${provenance.ended}` },
    { what: 'device', value: inWords(provenance.device) },
    { what: 'versions', value: inWords(provenance.versions) },
    ...each('choice', provenance.choices),
    ...provenance.data.map(({ name, ...facts }) => ({ what: `data ${inWords(name)}`, value: inWords(facts) })),
    ...each('SHA-256 of', provenance.weights),
    ...each('SHA-256 of', provenance.hashes),
  ];
}

/** Facts in a line: `type cpu, threads (intraOp 2, interOp 2)`. */
function inWords(value: unknown): string {
  if (Array.isArray(value)) return value.map(inWords).join(' ');
  if (typeof value !== 'object' || value === null) return String(value);
  return Object.entries(value)
    .filter(([, part]) => part !== undefined)
    .map(([name, part]) => {
      const words = inWords(part);
      return `${name} ${typeof part === 'object' && part !== null && !Array.isArray(part) ? `(${words})` : words}`;
    })
    .join(', ');
}
