/** The faults that `npm run mutants` puts into compiled code: what a slip of the hand, or of the head, would leave. */

import { parse } from 'acorn'

/** Another operator in its place; for comparisons the neighbour, as an `if` is tried as always and as never too. */
const operators = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '**': '*',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '&': '|',
  '|': '&',
  '&&': '||',
  '||': '&&',
  '+=': '-=',
  '-=': '+=',
  '*=': '/=',
  '??=': '=',
  '||=': '=',
}

const methods = {
  min: 'max',
  max: 'min',
  floor: 'ceil',
  ceil: 'floor',
  some: 'every',
  every: 'some',
  startsWith: 'endsWith',
  endsWith: 'startsWith',
}

/**
 * Every fault that `source` can be given, as { start, end, replacement, shown, at }, in the order of the source. It can
 * matter where the code `at` runs: what stands behind a `?.` may never have.
 */
export function faultsOf(source) {
  const found = []
  const nodes = [...walk(parse(source, { ecmaVersion: 'latest', sourceType: 'module' }))]
  const held = new Set(nodes.flatMap(([node]) => heldByCompiler(node)))
  for (const [node, parent] of nodes) {
    if (held.has(node)) continue
    const replace = (start, end, ...replacements) => {
      // With what stands around it, where that is short.
      const around = [parent, node].find((one) => one && one.end - one.start <= 60) ?? { start, end }
      const [from, to] = [around.start, around.end]
      for (const replacement of replacements) {
        const faulty = source.slice(from, start) + replacement + source.slice(end, to)
        const shown = `${source.slice(from, to)} -> ${faulty}`.replace(/\s+/g, ' ')
        found.push({ start, end, replacement, shown, at: node.start })
      }
    }
    const between = (left, text, right) => {
      const start = source.indexOf(text, left.end)
      return start >= 0 && start < right.start ? [start, start + text.length] : undefined
    }
    kinds[node.type]?.(node, replace, { source, parent, between })
  }
  return found.sort((a, b) => a.start - b.start)
}

function* walk(node, parent) {
  yield [node, parent]
  for (const value of Object.values(node)) {
    for (const child of [value].flat()) if (typeof child?.type === 'string') yield* walk(child, node)
  }
}

/** The keys of options, each with `true`: the compiler takes nothing else, and they are read without it. */
function heldByCompiler({ type, callee, arguments: given, id, init }) {
  const isCheck = type === 'CallExpression' && /^(expectOptions|readOnce)$/.test(callee.name)
  const isNamed = type === 'VariableDeclarator' && /keys$/i.test(id.name)
  const keys = isCheck ? given.at(-1) : isNamed ? init : undefined
  return (keys?.properties ?? []).map(({ value }) => value)
}

function operator(node, replace, { between }) {
  const other = operators[node.operator]
  if (!other || (node.operator === '+' && (isText(node.left) || isText(node.right)))) return
  const place = between(node.left, node.operator, node.right)
  if (place) replace(...place, other)
}

function isText(node) {
  return node.type === 'TemplateLiteral' || typeof node.value === 'string'
}

function condition({ test }, replace) {
  replace(test.start, test.end, 'true', 'false')
}

function loop({ test }, replace) {
  if (test) replace(test.start, test.end, 'false')
}

function removed({ argument, start, end }, replace) {
  if (!argument) replace(start, end, ';')
}

/** A limit may be one off, a round number be of another unit, and a fraction or a huge one be anything. */
function near(number) {
  if (!Number.isSafeInteger(number)) return [number * 2, number / 2]
  return number >= 100 && number % 10 === 0 ? [number * 10, number / 10] : [number + 1, number - 1]
}

/** What is done to a node, by its type. */
const kinds = {
  BinaryExpression: operator,
  AssignmentExpression: operator,
  LogicalExpression(node, replace, context) {
    const { left, right, start, end } = node
    if (node.operator !== '??') return operator(node, replace, context)
    replace(start, end, context.source.slice(left.start, left.end), context.source.slice(right.start, right.end))
  },
  IfStatement: condition,
  ConditionalExpression: condition,
  WhileStatement: loop,
  ForStatement: loop,
  UnaryExpression({ operator, argument, start }, replace) {
    if (operator === '!' || operator === '-') replace(start, argument.start, '')
  },
  UpdateExpression({ operator, prefix, start, end }, replace) {
    const place = prefix ? [start, start + 2] : [end - 2, end]
    replace(...place, operator === '++' ? '--' : '++')
  },
  Literal({ value, raw, regex, start, end }, replace, { parent }) {
    if (regex) {
      if (regex.pattern.startsWith('^')) replace(start + 1, start + 2, '')
      if (regex.pattern.endsWith('$')) replace(start + regex.pattern.length, start + regex.pattern.length + 1, '')
      if (regex.flags) replace(end - regex.flags.length, end, '')
    } else if (typeof value === 'boolean') {
      replace(start, end, String(!value))
    } else if (typeof value === 'number') {
      replace(start, end, ...near(value).map((n) => (n < 0 ? `(${n})` : String(n))))
    } else if (typeof value === 'string' && /^\S+$/.test(value)) {
      // A name or a code; the wording of sentences is left alone.
      const isName = /^(Import|Export)/.test(parent.type) || parent.key?.raw === raw
      if (!isName) replace(start, end, "''")
    }
  },
  ExpressionStatement({ directive, start, end }, replace) {
    if (!directive) replace(start, end, ';')
  },
  ReturnStatement: removed,
  BreakStatement: removed,
  ContinueStatement: removed,
  AwaitExpression({ argument, start }, replace, { parent }) {
    if (parent.type !== 'ExpressionStatement') replace(start, argument.start, '')
  },
  AssignmentPattern({ left, end }, replace) {
    replace(left.end, end, '')
  },
  ArrowFunctionExpression({ body }, replace) {
    if (body.type === 'CallExpression') replace(body.start, body.end, 'undefined')
  },
  MemberExpression({ object, property, optional, computed }, replace, { between }) {
    if (optional) replace(...between(object, '?.', { start: object.end + 3 }), computed ? '' : '.')
    const other = !computed && Object.hasOwn(methods, property.name) && methods[property.name]
    if (other) replace(property.start, property.end, other)
  },
  CallExpression({ callee, optional }, replace, { between }) {
    if (optional) replace(...between(callee, '?.', { start: callee.end + 3 }), '')
  },
}
