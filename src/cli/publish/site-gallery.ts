import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { apiLink, galleryPage } from '../../report/index.js';
import { editedMark } from './choose-runs.js';
import { crateName, idOf } from './crate.js';
import type { PublishedRun } from './site-texts.js';

/** `index.html` of a site: the gallery, with links to each run's files and models. */
export function galleryOf(site: string, title: string, runs: readonly PublishedRun[]): string {
  const links = [
    { label: 'About: how to check and cite', href: 'about.html' },
    ...[
      { label: 'results.json', href: 'results.json' },
      { label: 'results.csv', href: 'results.csv' },
    ],
    ...[{ label: 'RO-Crate', href: crateName }, { label: 'Licences', href: 'LICENSE.md' }, apiLink],
  ];
  const ofRun = (name: string) => {
    const { cards, marks, folder } = runs.find((run) => run.name === name)!;
    const files = ['notebook.ipynb', 'metrics.json', 'parameters.json', 'provenance.json'];
    const present = files.filter((file) => existsSync(join(folder, file)));
    const href = (file: string) => `runs/${idOf(name)}/${idOf(file)}`;
    return {
      links: [
        ...cards.map((card) => ({ label: card.label, href: href(`${card.name}.html`) })),
        ...present.map((file) => ({ label: file, href: href(file) })),
      ],
      tags: marks.filter((mark) => mark !== editedMark),
    };
  };
  const folders = runs.map(({ folder }) => folder);
  return galleryPage(folders, { title, command: 'npx --no-install pathlab publish', links, ofRun }, site);
}
