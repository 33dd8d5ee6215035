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
  const group = (title: string, entries: Record<string, unknown>) =>
    Object.entries(entries).map(([name, value]) => ({ what: `${title}: ${name}`, value: text(value) }));
  return [
    { what: 'command', value: provenance.command },
    { what: 'seed', value: String(provenance.seed) },
    { what: 'run', value: provenance.runHash },
    { what: 'commit', value: provenance.gitCommit ?? 'not a git checkout' },
    { what: 'started, ended', value: `${provenance.started}, ${provenance.ended}` },
    ...group('device', provenance.device),
    ...group('choice', provenance.choices),
    ...provenance.data.map((entry) => ({ what: `data: ${text(entry.name)}`, value: inWords(entry) })),
    ...group('SHA-256 of weights', provenance.weights),
    ...group('SHA-256 of', provenance.hashes),
    ...group('version', provenance.versions),
  ];
}

function inWords(entry: Record<string, unknown>): string {
  return Object.entries(entry)
    .filter(([name, value]) => name !== 'name' && value !== undefined)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join('; ');
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
