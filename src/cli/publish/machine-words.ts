import { readdirSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { basename, isAbsolute } from 'node:path';
import { projectRoot } from '../../base/index.js';
import { escapeMarkup } from '../../report/html.js';
import { UsageError } from '../usage-error.js';

/** A text of the machine, a path or a name, and what stands for it in a published file. */
export interface MachineWord {
  text: string;
  /** For a path followed by more, that of the folder; the same as `text` to keep it. */
  replacement: string;
  /** What it is, in words that do not tell it. */
  what: string;
}

const inProject = "the project's folder";

/** The words of `--replace FROM=TO`. */
export function wordsOfOptions(texts: readonly string[]): MachineWord[] {
  return texts.map((each) => {
    const [, text, replacement] = /^(.+?)=(.*)$/s.exec(each) ?? [];
    if (text === undefined || replacement === undefined)
      throw new UsageError(`--replace takes FROM=TO; got "${each}" (see pathlab publish --help)`);
    return { text, replacement, what: text === replacement ? 'kept' : 'a text of --replace' };
  });
}

/**
 * What is replaced in the files of a run: the project's folder, here and where it ran, the home folder, and absolute paths
 * among its parameters and in its provenance.
 *
 * @param facts parameters, provenance and the notebook's metadata, as JSON values
 */
export function wordsOfRun(facts: readonly unknown[], given: readonly MachineWord[] = []): MachineWord[] {
  const paths = facts.flatMap((fact) => [...pathsIn(fact, '')]);
  const roots = paths.flatMap(({ text }) => /^(.+)\/(?:notebooks|results\/runs)\//.exec(text)?.[1] ?? []);
  const own = [projectRoot, ...roots].map((text) => ({ text, replacement: '.', what: inProject }));
  const home = [{ text: homedir(), replacement: '~', what: 'the home folder' }];
  const isCovered = (path: string) => own.some(({ text }) => `${path}/`.startsWith(`${text}/`));
  const others = paths.filter(({ text }) => !isCovered(text));
  const all = [...given, ...own, ...home, ...others].filter(({ text }) => text.length > 1);
  const once = new Map(all.reverse().map((word) => [word.text, word]));
  return [...once.values()].sort((one, other) => other.text.length - one.text.length);
}

/** The absolute paths among the values of a JSON value; a parameter may list several. */
function* pathsIn(value: unknown, name: string): Generator<MachineWord> {
  if (typeof value === 'object' && value !== null) {
    for (const [key, part] of Object.entries(value)) yield* pathsIn(part, Array.isArray(value) ? name : key);
  } else if (typeof value === 'string') {
    for (const text of value.split(',').map((part) => part.trim().replace(/\/+$/, ''))) {
      if (isAbsolute(text) && !/[\n"]/.test(text))
        yield { text, replacement: basename(text), what: `a path given as ${name}` };
    }
  }
}

/**
 * A text without these words, also where they are escaped for markup, JSON or an address.
 *
 * @returns the text, and how often each was replaced, by what it is
 */
export function replaceWords(text: string, words: readonly MachineWord[]) {
  const replaced: Record<string, number> = {};
  let result = text;
  for (const { text: from, replacement, what } of words) {
    if (from === replacement) continue;
    const forms = [...new Set([from, escapeMarkup(from), JSON.stringify(from).slice(1, -1), encodeURI(from)])];
    if (!forms.some((form) => result.includes(form))) continue;
    const form = forms.map(inPattern).join('|');
    const pattern = new RegExp(`(?<![\\w./+~%-])(?:file://)?(?:${form})(?:(/)(?=[\\w.~%-])|(?![\\w-]|\\.\\w))`, 'g');
    result = result.replace(pattern, (_match, slash: string | undefined) => {
      replaced[what] = (replaced[what] ?? 0) + 1;
      // Within the project a path is relative.
      return slash === undefined ? replacement : replacement === '.' ? '' : `${replacement}/`;
    });
  }
  return { text: result, replaced };
}

const system = /^(?:bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|usr)$/;
/** Of machines and clusters; some number them. */
const usual =
  'home|Users|root|mnt|media|scratch|data|tmp|private|workspace|gpfs|lustre|beegfs|nfs|cluster|srv|storage|projects?|work'
    .split('|')
    .map((name) => `${name}\\d*`);
/** Names of users and machines that say nothing. */
const common = /^(?:root|user|users|admin|ubuntu|debian|centos|runner|jovyan|node|docker|vm|localhost|.{1,3})$/i;

/** The first folders of paths, of the machine where a run was. */
export function topFolders(words: readonly MachineWord[]): string[] {
  const names = words.map(({ text }) => /^\/(\w[\w.-]*)\//.exec(text)?.[1] ?? '');
  return [...new Set(names)].filter((name) => name !== '' && !system.test(name)).sort();
}

/**
 * Paths of a machine, and the names of this one and its user, that a text still has; each once.
 *
 * @param tops first folders of paths, beside the usual ones and this machine's
 */
export function machineWordsIn(
  text: string,
  kept: readonly MachineWord[] = [],
  tops: readonly string[] = [],
): string[] {
  const isKept = (found: string) =>
    kept.some(
      ({ text: own, replacement }) => own === replacement && `${found.replace('file://', '')}/`.startsWith(`${own}/`),
    );
  const found = [...text.matchAll(machinePattern(tops))].map(([match]) => match);
  return [...new Set(found)].filter((match) => !isKept(match));
}

const patterns = new Map<string, RegExp>();

function machinePattern(tops: readonly string[]): RegExp {
  const before = patterns.get(tops.join('/'));
  if (before) return before;
  const here = readdirSync('/').filter((name) => /^\w[\w-]*$/.test(name) && !system.test(name));
  const top = [...new Set([...usual, ...[...here, ...tops].map(inPattern)])].join('|');
  const names = [hostname(), hostname().split('.')[0]!, userInfo().username].filter((name) => !common.test(name));
  const words = [...new Set(names)].map(inPattern);
  const parts = [
    `(?<![\\w./+~%-])(?:file://)?/(?:${top})/[^\\s"'\`<>&)\\\\,;|]+`,
    '\\b[A-Z]:\\\\+Users\\\\+[^\\s"\'<>&\\\\]+',
    ...(words.length > 0 ? [`(?<![\\w-])(?:${words.join('|')})(?![\\w-])`] : []),
  ];
  const pattern = new RegExp(parts.join('|'), 'g');
  patterns.set(tops.join('/'), pattern);
  return pattern;
}

const inPattern = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
