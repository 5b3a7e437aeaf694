/**
 * Two copies of candlewick in one process: npm installs a second where versions do not agree, and test runners load the same
 * files twice. Their classes have the same names but are not the same, so each class carries a mark that all copies know.
 */

const mark = Symbol.for('candlewick.class')

interface Mark {
  /** The class's name; its own may be minified. */
  className: string
  /** Where the copy was loaded from. */
  home: string
}

const home = (import.meta.url ?? __filename).replace(/[^/\\]*$/, '')

/** A class, even one whose constructor is private. */
export interface Class<T extends object> {
  readonly prototype: T
  [Symbol.hasInstance](value: unknown): boolean
}

/** Marks a class of candlewick's, in its static block. */
export function markClass(type: Class<object>, className: string): void {
  Object.defineProperty(type.prototype, mark, { value: { className, home } satisfies Mark })
}

/** Where the copy of candlewick lies that made `value`, an object that is no instance of `type` but of its namesake. */
export function homeOfNamesake(value: object, type: Class<object>): string | undefined {
  const theirs = markOf(value)
  return theirs && theirs.className === markOf(type.prototype)?.className ? theirs.home : undefined
}

/** What to do about an object of the copy in `theirs`. */
export function adviceOnCopies(theirs: string): string {
  const others =
    theirs === home ? `the same files loaded twice, from ${home}` : `from ${theirs}, while this one is ${home}`
  return `of another copy of candlewick (${others}); load it once: npm ls candlewick lists what is installed, npm dedupe joins it`
}

function markOf(value: object): Mark | undefined {
  return (value as { [mark]?: Mark })[mark]
}
