import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

/** What the links of a site lead to. */
export interface LinkReport {
  /** How many were resolved. */
  checked: number;
  /** `page: link`, and why it leads nowhere. */
  dead: readonly string[];
  /** Addresses outside of the site, each once; they are not requested. */
  external: readonly string[];
}

/** A tag with its attributes, of which the values may have angle brackets. */
const tags = /<[a-zA-Z](?:[^>"']|"[^"]*"|'[^']*')*>/g;
const attributes = /\s([^\s"'<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))/g;
const [links, names] = [/^(?:href|src|xlink:href|poster)$/i, /^(?:id|name)$/i];
const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' };

/**
 * Resolves every `href` and `src` in HTML files of a folder: the file is there, and of an anchor, the place in it.
 *
 * @param files paths of all files, relative to the folder
 */
export function checkLinks(folder: string, files: readonly string[]): LinkReport {
  const pages = files.filter((file) => file.endsWith('.html'));
  const places = new Map<string, ReadonlySet<string>>();
  const placesOf = (page: string) => {
    if (!places.has(page)) places.set(page, new Set(valuesOf(join(folder, page), names)));
    return places.get(page)!;
  };
  const has = new Set(files);
  const dead: string[] = [];
  const external = new Set<string>();
  let checked = 0;
  for (const page of pages) {
    for (const link of linksOf(join(folder, page))) {
      if (/^(?:data|javascript):/i.test(link)) continue;
      if (isExternal(link)) {
        external.add(link);
        continue;
      }
      checked++;
      const why = whyDead(link, { page, has, placesOf });
      if (why) dead.push(`${page}: ${link}: ${why}`);
    }
  }
  return { checked, dead, external: [...external].sort() };
}

/** What the `href` and `src` of a page say, each once. */
export const linksOf = (path: string): string[] => [...new Set(valuesOf(path, links))];

/** Whether a link has a scheme or a host. */
export const isExternal = (link: string) => /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i.test(link);

/** The file that a link of a page leads to, from the folder that the page's path is from. */
export function targetOf(link: string, page: string): string {
  const path = link.split(/[#?]/)[0]!;
  return path === '' ? page : normalize(join(dirname(page), decoded(path)));
}

function whyDead(
  link: string,
  site: { page: string; has: ReadonlySet<string>; placesOf: (page: string) => ReadonlySet<string> },
): string | undefined {
  const [address, anchor] = link.split('#') as [string, string?];
  const [path] = address.split('?') as [string];
  const name = targetOf(link, site.page);
  if (name.startsWith('..') || path.startsWith('/')) return 'it leads out of the site';
  if (!site.has.has(name)) return 'there is no such file';
  if (!anchor || !name.endsWith('.html')) return undefined;
  return site.placesOf(name).has(decoded(anchor)) ? undefined : 'the page has no such place';
}

/** The values of the attributes of these names in a page. */
function valuesOf(path: string, wanted: RegExp): string[] {
  const text = readFileSync(path, 'utf8').replace(/<!--[\s\S]*?-->|<(script|style)\b[^>]*>[\s\S]*?<\/\1>/gi, (block) =>
    // What a script's own tag asks for counts, its text does not.
    block.startsWith('<!--') ? '' : block.slice(0, block.indexOf('>') + 1),
  );
  return [...text.matchAll(tags)].flatMap(([tag]) =>
    [...tag.matchAll(attributes)].flatMap(([, name, double, single, bare]) =>
      wanted.test(name!) ? [unescaped(double ?? single ?? bare ?? '').trim()] : [],
    ),
  );
}

const unescaped = (text: string) =>
  text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, decimal, hexadecimal, name) =>
    name
      ? (entities[name] ?? whole)
      : String.fromCodePoint(decimal ? Number(decimal) : Number.parseInt(hexadecimal, 16)),
  );

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
