/** An element of an XML document; text between elements is not kept. */
export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
}

const predefined: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };
const token =
  /<\?[^?]*\?>|<!--(?:(?!--)[\s\S])*-->|<\/([\w:.-]+)\s*>|<([\w:.-]+)((?:\s+[\w:.-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>|[^<]+/y;
const maxDepth = 64;

/**
 * Reads the part of XML that annotation files use: elements and attributes. There is no DTD, no entity but the five
 * predefined ones and character numbers, and no CDATA, so nothing can expand or be fetched: a file that holds them is
 * refused. (General XML libraries support DTDs, and have to be told not to.)
 *
 * @throws Error that gives the line
 */
export function parseXml(text: string, what: string): XmlElement {
  const document: XmlElement = { name: '', attributes: {}, children: [] };
  const open = [document];
  const fail = (at: number, problem: string): never => {
    throw new Error(`${what}, line ${text.slice(0, at).split('\n').length}: ${problem}`);
  };
  token.lastIndex = 0;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (!match) {
      if (text.startsWith('<!', at)) fail(at, 'document types, entities and CDATA are refused in annotations');
      return fail(at, 'this is not XML');
    }
    const [, closed, opened, attributes, selfClosing] = match;
    if (closed !== undefined) {
      const element = open.pop()!;
      if (open.length === 0 || element.name !== closed) fail(at, `</${closed}> closes an element that is not open`);
    } else if (opened !== undefined) {
      const element = {
        name: opened,
        attributes: readAttributes(attributes!, (problem) => fail(at, problem)),
        children: [],
      };
      open.at(-1)!.children.push(element);
      if (!selfClosing) open.push(element);
      if (open.length > maxDepth) fail(at, `elements are nested more than ${maxDepth} deep`);
    }
  }
  if (open.length !== 1) fail(text.length, `<${open.at(-1)!.name}> is never closed: the file is cut short`);
  if (document.children.length !== 1) fail(text.length, 'the file does not hold one document');
  return document.children[0]!;
}

function readAttributes(text: string, fail: (problem: string) => never): Record<string, string> {
  const result: Record<string, string> = Object.create(null);
  for (const [, name, double, single] of text.matchAll(/([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) {
    if (name! in result) fail(`${name} is given twice`);
    result[name!] = (double ?? single)!.replace(
      /&(#\d+|#x[\da-fA-F]+|\w+)?;?/g,
      (whole, reference: string | undefined) => {
        if (!whole.endsWith(';') || reference === undefined) return fail('"&" is written as &amp;');
        if (!reference.startsWith('#')) return predefined[reference] ?? fail(`the entity &${reference}; is refused`);
        const code = reference[1] === 'x' ? Number.parseInt(reference.slice(2), 16) : Number(reference.slice(1));
        return code <= 0x10ffff ? String.fromCodePoint(code) : fail(`${reference} is not a character`);
      },
    );
  }
  return result;
}
