/** An object as a line of JSON. JSON has no NaN and no Infinity: they are strings, which `Number()` takes back. */
export function jsonLine(value: object): string {
  return JSON.stringify(value, (_, part) => (isOddNumber(part) ? String(part) : part))
}

function isOddNumber(value: unknown): boolean {
  return typeof value === 'number' && !Number.isFinite(value)
}
