import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

/** For `node`: trainings of tests are short, and on noise. */
export const quiet = ['--disable-warning=CANDLEWICK_LOSS_STAYS']

/** The command's program, for `node`. */
export const program = join('dist', 'cli.js')

export interface Outcome {
  /** The exit code, or the signal that ended the process. */
  end: number | string
  stdout: string
  stderr: string
}

/** What a process printed and how it ended. */
export async function finish(child: ChildProcess): Promise<Outcome> {
  const closed = once(child, 'close')
  const [stdout, stderr] = await Promise.all([text(child.stdout as never), text(child.stderr as never)])
  const [code, signal] = await closed
  return { end: signal ?? code, stdout, stderr }
}

/** Runs the command in a process of its own. */
export function candlewick(...args: string[]): Promise<Outcome> {
  return finish(startCandlewick(args))
}

/** Starts the command, with changes to its environment. */
export function startCandlewick(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [...quiet, program, ...args], { env: { ...process.env, ...env } })
}

/** Runs a line of sh in which `$CANDLEWICK` is the command. */
export function shell(line: string): Promise<Outcome> {
  const env = { ...process.env, CANDLEWICK: `${process.execPath} ${quiet.join(' ')} ${program}` }
  return finish(spawn('sh', ['-c', line], { env }))
}
