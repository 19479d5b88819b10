import type { Finding } from '../outbox/index.ts'
import { roughBytes } from './amounts.ts'
import type { Output } from './command.ts'

/** One finding of a walk over an outbox, as a line for people. */
export function describeFinding(finding: Finding): string {
  if (finding.kind === 'note') return `note: ${finding.detail}`
  const { lane, from, to } = finding
  const where = `${lane} ${from}-${to}`
  switch (finding.kind) {
    case 'damaged':
      return `damaged: ${where}, ${finding.detail}`
    case 'inconsistent':
      return `inconsistent: ${where}, ${finding.detail}`
    case 'missing':
      return `missing: ${where}, neither there nor declared`
    case 'end':
      return `missing: ${where}, the last blocks of the lane are damaged or gone`
  }
}

/** The same for programs. */
export const showFinding = (finding: Finding): object =>
  finding.kind === 'note' ? { ...finding, key: finding.key.toString('hex') } : finding

/** Says on standard error how far a walk is: in place where a person looks at it, else nothing. */
export function walkProgress(stderr: Output): { show(blocks: number, bytes: number): void; end(): void } {
  if (stderr.isTTY !== true) return { show() {}, end() {} }
  return {
    show: (blocks, bytes) => stderr.write(`\r${blocks} blocks, ${roughBytes(bytes)} `),
    end: () => stderr.write('\n'),
  }
}
