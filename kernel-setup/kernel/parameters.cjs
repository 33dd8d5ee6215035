// Reads a notebook's parameters cell: `let epochs: number | undefined = undefined; // passes over the data`.
// papermill (through its Python module) and the runner both ask here, so that both know and refuse the same.
//   node parameters.cjs  <- { "source": "...", "given": { "epochs": 3 } }   -> { "parameters": [...], "problems": [...] }
const typescript = require('@tslab/typescript-for-tslab');

const { SyntaxKind } = typescript;

/**
 * The parameters that a cell declares, in order.
 *
 * @param {string} source the text of the cell tagged `parameters`
 * @returns {{ name: string, type: string, default: string, value?: unknown, help: string }[]} `default` is source text;
 *   `value` is its value where it is a literal
 */
function readParameters(source) {
  return declarations(source).map(({ name, type, text, declaration, help }) => ({
    name,
    type,
    default: text,
    value: declaration.initializer ? literalValue(declaration.initializer) : undefined,
    help,
  }));
}

/**
 * What is wrong with parameters that are given to a cell: unknown names and values of another type than declared.
 *
 * @returns {string[]} one sentence each; empty if all is right
 */
function problemsOf(source, given) {
  const declared = new Map(declarations(source).map((entry) => [entry.name, entry]));
  const problems = [];
  for (const [name, value] of Object.entries(given)) {
    const entry = declared.get(name);
    if (!entry) {
      const near = nearest(name, [...declared.keys()]);
      problems.push(`unknown parameter "${name}"${near ? `; did you mean "${near}"?` : ''}`);
    } else if (!accepts(entry.typeNode, value)) {
      problems.push(`parameter "${name}" takes ${entry.type}; got ${describe(value)}`);
    }
  }
  return problems;
}

/**
 * The value that a command line's text means for a declared type: `3` is a number for `number` and text for `string`.
 * Lists, objects and null are written as JSON; `undefined` leaves a parameter to the scale.
 */
function valueOfText(source, name, text) {
  const entry = declarations(source).find((one) => one.name === name);
  const candidates = [];
  if (text === 'undefined') candidates.push(undefined);
  try {
    candidates.push(JSON.parse(text));
  } catch {
    // Not JSON: only the text itself is left.
  }
  if (numbers.has(text)) candidates.push(numbers.get(text));
  candidates.push(text);
  const fitting = entry ? candidates.filter((value) => accepts(entry.typeNode, value)) : candidates;
  return fitting.length > 0 ? fitting[0] : candidates[0];
}

/** Numbers that JSON does not write, as YAML and TypeScript do. */
const numbers = new Map([
  ...['.inf', 'Infinity'].map((text) => [text, Number.POSITIVE_INFINITY]),
  ...['-.inf', '-Infinity'].map((text) => [text, Number.NEGATIVE_INFINITY]),
  ...['.nan', 'NaN'].map((text) => [text, Number.NaN]),
]);

function declarations(source) {
  const file = typescript.createSourceFile('parameters.ts', source, typescript.ScriptTarget.ES2022, true);
  const found = [];
  for (const statement of file.statements) {
    if (!typescript.isVariableStatement(statement)) continue;
    for (const declaration of statement.declarationList.declarations) {
      if (!typescript.isIdentifier(declaration.name)) continue;
      const { initializer } = declaration;
      const typeNode = declaration.type ?? initializer;
      found.push({
        name: declaration.name.text,
        type: declaration.type?.getText(file) ?? typeOfLiteral(initializer),
        text: initializer ? onOneLine(initializer, file) : 'undefined',
        typeNode,
        declaration,
        help: commentsOf(file, statement),
      });
    }
  }
  return found;
}

function onOneLine(node, file) {
  const printer = typescript.createPrinter({ removeComments: true });
  return printer.printNode(typescript.EmitHint.Unspecified, node, file).replace(/\s*\n\s*/g, ' ');
}

/** The comments before a statement and behind it on its last line, without their marks. */
function commentsOf(file, statement) {
  const before = typescript.getLeadingCommentRanges(file.text, statement.pos) ?? [];
  const behind = typescript.getTrailingCommentRanges(file.text, statement.end) ?? [];
  // A comment behind the statement before belongs to that one.
  const previousEnd = statement.pos;
  const own = before.filter(({ pos }) => previousEnd === 0 || file.text.slice(previousEnd, pos).includes('\n'));
  return [...own, ...behind]
    .map(({ pos, end }) =>
      file.text
        .slice(pos, end)
        .replace(/^\/\/+|^\/\*+|\*+\/$/g, '')
        .replace(/^\s*\* ?/gm, '')
        .trim(),
    )
    .join(' ');
}

/** Whether a value fits a type. A type that this cannot read (a name) is left to the compiler. */
function accepts(type, value) {
  if (!type) return true;
  switch (type.kind) {
    case SyntaxKind.NumberKeyword:
    case SyntaxKind.NumericLiteral:
    case SyntaxKind.PrefixUnaryExpression:
      return typeof value === 'number';
    case SyntaxKind.StringKeyword:
    case SyntaxKind.StringLiteral:
    case SyntaxKind.NoSubstitutionTemplateLiteral:
      return typeof value === 'string';
    case SyntaxKind.BooleanKeyword:
    case SyntaxKind.TrueKeyword:
    case SyntaxKind.FalseKeyword:
      return typeof value === 'boolean';
    // null is how JSON and YAML write what TypeScript calls undefined.
    case SyntaxKind.UndefinedKeyword:
      return value === undefined || value === null;
    case SyntaxKind.LiteralType:
      return acceptsLiteral(type.literal, value);
    case SyntaxKind.ParenthesizedType:
      return accepts(type.type, value);
    case SyntaxKind.TypeOperator: // readonly T[]
      return accepts(type.type, value);
    case SyntaxKind.UnionType:
      return type.types.some((part) => accepts(part, value));
    case SyntaxKind.ArrayType:
      return Array.isArray(value) && value.every((item) => accepts(type.elementType, item));
    case SyntaxKind.TupleType:
      return acceptsTuple(type, value);
    case SyntaxKind.ArrayLiteralExpression:
      return Array.isArray(value);
    case SyntaxKind.ObjectLiteralExpression:
      return isRecord(value);
    case SyntaxKind.TypeLiteral:
      return acceptsMembers(type, value);
    case SyntaxKind.TypeReference:
      return acceptsReference(type, value);
    default:
      return true;
  }
}

function acceptsLiteral(literal, value) {
  if (literal.kind === SyntaxKind.NullKeyword) return value === null;
  return value === literalValue(literal);
}

function acceptsTuple(type, value) {
  return (
    Array.isArray(value) &&
    value.length === type.elements.length &&
    type.elements.every((element, index) => accepts(element.type ?? element, value[index]))
  );
}

function acceptsMembers(type, value) {
  if (!isRecord(value)) return false;
  const members = type.members.filter(typescript.isPropertySignature);
  if (members.length < type.members.length) return true;
  const known = new Map(members.map((member) => [member.name.text, member]));
  return (
    Object.keys(value).every((name) => known.has(name)) &&
    members.every((member) =>
      member.name.text in value ? accepts(member.type, value[member.name.text]) : Boolean(member.questionToken),
    )
  );
}

function acceptsReference(type, value) {
  const [argument, second] = type.typeArguments ?? [];
  switch (type.typeName.getText()) {
    case 'Array':
    case 'ReadonlyArray':
      return Array.isArray(value) && value.every((item) => accepts(argument, item));
    case 'Record':
      return isRecord(value) && Object.values(value).every((item) => accepts(second, item));
    default:
      return true;
  }
}

function isRecord(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value of a literal expression, undefined for anything that must be computed. */
function literalValue(node) {
  if (typescript.isStringLiteralLike(node)) return node.text;
  if (typescript.isNumericLiteral(node)) return Number(node.text);
  if (typescript.isAsExpression(node) || typescript.isParenthesizedExpression(node))
    return literalValue(node.expression);
  if (typescript.isArrayLiteralExpression(node)) return node.elements.map(literalValue);
  if (typescript.isPrefixUnaryExpression(node) && node.operator === SyntaxKind.MinusToken) {
    return -literalValue(node.operand);
  }
  if (typescript.isObjectLiteralExpression(node)) {
    const entries = node.properties.filter(typescript.isPropertyAssignment);
    return Object.fromEntries(entries.map(({ name, initializer }) => [name.text, literalValue(initializer)]));
  }
  return { [SyntaxKind.TrueKeyword]: true, [SyntaxKind.FalseKeyword]: false, [SyntaxKind.NullKeyword]: null }[
    node.kind
  ];
}

function typeOfLiteral(node) {
  const value = node && literalValue(node);
  if (value === undefined) return 'any';
  if (Array.isArray(value)) return 'list';
  return value === null ? 'any' : typeof value;
}

function describe(value) {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'list' : typeof value;
  if (value === null || value === undefined) return kind;
  return `${typeof value === 'number' ? value : JSON.stringify(value)} (${kind})`;
}

/** The known name that a misspelt one is closest to, if it is close (Levenshtein distance). */
function nearest(name, known) {
  const distances = known.map((other) => [distance(name.toLowerCase(), other.toLowerCase()), other]);
  const [best] = distances.sort(([one], [other]) => one - other);
  return best && best[0] <= Math.max(1, name.length / 3) ? best[1] : undefined;
}

function distance(one, other) {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next[j] = Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[other.length];
}

/** The table of known parameters that goes with a refusal. */
function parameterTable(source) {
  const known = readParameters(source);
  if (known.length === 0) return 'This notebook has no parameters.';
  const lines = known.map(
    ({ name, type, default: text, help }) => `  ${name}: ${type} = ${text}${help ? `   ${help}` : ''}`,
  );
  return ['Known parameters:', ...lines].join('\n');
}

module.exports = { readParameters, problemsOf, valueOfText, parameterTable };

if (require.main === module) {
  // JSON has no word for infinities and NaN.
  const reviver = (_name, value) => (isRecord(value) && '$number' in value ? Number(value.$number) : value);
  const { source, given = {} } = JSON.parse(require('node:fs').readFileSync(0, 'utf8'), reviver);
  const answer = {
    parameters: readParameters(source),
    problems: problemsOf(source, given),
    table: parameterTable(source),
  };
  process.stdout.write(JSON.stringify(answer));
}
