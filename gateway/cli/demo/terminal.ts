import { createInterface } from 'node:readline'
import type { Context, Output } from '../command.ts'
import { type Wish, wishOfKey, wishOfLine } from './wish.ts'

/**
 * Reads wishes: single keys where a person sits at a terminal, else one word a line.
 *
 * @returns ends the reading and gives the terminal back as it was
 */
export function readWishes(
  { stdin }: Context,
  { keys, gateways }: { keys: boolean; gateways: number },
  wish: (wish: Wish) => void,
): () => void {
  if (keys) {
    const onData = (data: Buffer): void => {
      for (const char of data.toString('utf8')) {
        const found = wishOfKey(char, gateways)
        if (found) wish(found)
      }
    }
    stdin.setRawMode(true)
    stdin.resume()
    stdin.on('data', onData)
    return () => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
    }
  }
  const lines = createInterface({ input: stdin })
  lines.on('line', (line) => {
    const found = wishOfLine(line, gateways)
    if (found) wish(found)
  })
  return () => lines.close()
}

const HIDE_CURSOR = '\u001b[?25l'
const SHOW_CURSOR = '\u001b[?25h'
const CLEAR_LINE = '\u001b[K'
const CLEAR_BELOW = '\u001b[J'

/** Draws lines over the lines drawn before, without flicker. */
export class Canvas {
  readonly #output: Output
  #height = 0

  constructor(output: Output) {
    this.#output = output
    output.write(HIDE_CURSOR)
  }

  draw(lines: readonly string[]): void {
    const up = this.#height > 0 ? `\u001b[${this.#height}A\r` : ''
    this.#output.write(`${up}${lines.map((line) => line + CLEAR_LINE).join('\n')}\n${CLEAR_BELOW}`)
    this.#height = lines.length
  }

  close(): void {
    this.#output.write(SHOW_CURSOR)
  }
}
