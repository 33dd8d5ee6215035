// Tells cells that only set parameters from those that do more.
const typescript = require('@tslab/typescript-for-tslab');

const { SyntaxKind } = typescript;

/**
 * Whether a cell does nothing but give some of these names literal values: `let epochs: number | undefined = 3;` or
 * `epochs = 3;`.
 *
 * @param {ReadonlySet<string>} names
 */
function setsOnly(source, names) {
  const file = typescript.createSourceFile('cell.ts', source, typescript.ScriptTarget.ES2022, true);
  const isKnown = (node) => typescript.isIdentifier(node) && names.has(node.text);
  return file.statements.every((statement) => {
    if (typescript.isVariableStatement(statement)) {
      return statement.declarationList.declarations.every(
        ({ name, initializer }) => isKnown(name) && (!initializer || isLiteral(initializer)),
      );
    }
    if (!typescript.isExpressionStatement(statement)) return typescript.isEmptyStatement(statement);
    const { expression } = statement;
    if (typescript.isVoidExpression(expression)) return isLiteral(expression.expression);
    if (!typescript.isBinaryExpression(expression)) return false;
    const { left, operatorToken, right } = expression;
    return operatorToken.kind === SyntaxKind.EqualsToken && isKnown(left) && isLiteral(right);
  });
}

function isLiteral(node) {
  if (typescript.isStringLiteralLike(node) || typescript.isNumericLiteral(node)) return true;
  if (typescript.isPrefixUnaryExpression(node)) return isLiteral(node.operand);
  if (typescript.isIdentifier(node)) return ['undefined', 'NaN', 'Infinity'].includes(node.text);
  if (typescript.isArrayLiteralExpression(node)) return node.elements.every(isLiteral);
  if (typescript.isObjectLiteralExpression(node)) {
    return node.properties.every((part) => typescript.isPropertyAssignment(part) && isLiteral(part.initializer));
  }
  return [SyntaxKind.TrueKeyword, SyntaxKind.FalseKeyword, SyntaxKind.NullKeyword].includes(node.kind);
}

module.exports = { setsOnly };
