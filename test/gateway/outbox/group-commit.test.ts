import { describe, expect, it } from 'vitest'
import { type CommitParts, GroupCommit } from '../../../gateway/outbox/group-commit.ts'
import type { WriteOp } from '../../../gateway/ports/index.ts'
import { StopAcceptingError } from '../../../sync/contract/index.ts'

const op = (name: string): WriteOp => ({ type: 'put', key: Buffer.from(name), value: Buffer.alloc(0) })

/** A commit whose writes are settled by hand. */
function setup(parts: Partial<CommitParts> = {}) {
  const writes: { names: string[]; resolve: () => void; reject: (error: Error) => void }[] = []
  const failures: unknown[] = []
  let inFlight = 0
  const commit = new GroupCommit(
    (ops) => {
      expect(++inFlight).toBe(1)
      return new Promise<void>((resolve, reject) => {
        writes.push({ names: ops.map(({ key }) => key.toString()), resolve, reject })
      }).finally(() => inFlight--)
    },
    { cut() {}, committed() {}, failed: (error) => failures.push(error), ...parts },
    { now: () => 0, soon: setImmediate },
  )
  const said: string[] = []
  const wait = (name: string): void =>
    commit.whenDurable((error) => said.push(error ? `${name}: ${(error as StopAcceptingError).code}` : name))
  return { commit, writes, failures, said, wait }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('GroupCommit', () => {
  it('gathers what arrives during a write into the next one, and answers in order', async () => {
    const { commit, writes, said, wait } = setup()
    commit.attach([op('a')])
    wait('1')
    commit.attach([op('b')])
    wait('2')
    expect(writes).toHaveLength(0)
    await turns()
    expect(writes.map(({ names }) => names)).toEqual([['a', 'b']])
    commit.attach([op('c')])
    wait('3')
    wait('4')
    await turns()
    expect(said).toEqual([])
    writes[0]?.resolve()
    await turns()
    expect(said).toEqual(['1', '2'])
    expect(writes.map(({ names }) => names)).toEqual([['a', 'b'], ['c']])
    writes[1]?.resolve()
    await turns()
    expect(said).toEqual(['1', '2', '3', '4'])
  })

  it('lets those who are answered say more before it writes again', async () => {
    const { commit, writes, said, wait } = setup()
    commit.attach([op('a')])
    commit.whenDurable(() =>
      setImmediate(() => {
        commit.attach([op('answer')])
        wait('2')
      }),
    )
    await turns()
    commit.attach([op('b')])
    wait('1')
    writes[0]?.resolve()
    await turns()
    expect(writes.map(({ names }) => names)).toEqual([['a'], ['b', 'answer']])
    writes[1]?.resolve()
    await turns()
    expect(said).toEqual(['1', '2'])
  })

  it('writes nothing when there is nothing, but answers behind what is under way', async () => {
    const { commit, writes, said, wait } = setup()
    wait('idle')
    await turns()
    expect(said).toEqual(['idle'])
    commit.attach([op('a')])
    wait('1')
    await turns()
    wait('nothing more')
    await turns()
    expect(said).toEqual(['idle'])
    writes[0]?.resolve()
    await turns()
    expect(said).toEqual(['idle', '1', 'nothing more'])
    expect(writes).toHaveLength(1)
  })

  it('refuses everything that waits, and everything later, when a write fails', async () => {
    const { commit, writes, failures, said, wait } = setup()
    commit.attach([op('a')])
    wait('1')
    await turns()
    commit.attach([op('b')])
    wait('2')
    const broken = new Error('EIO')
    writes[0]?.reject(broken)
    await turns()
    expect(failures).toEqual([broken])
    expect(said).toEqual(['1: OUTBOX_WRITE_FAILED', '2: OUTBOX_WRITE_FAILED'])
    commit.attach([op('c')])
    wait('3')
    await turns()
    expect(said).toEqual(['1: OUTBOX_WRITE_FAILED', '2: OUTBOX_WRITE_FAILED', '3: OUTBOX_WRITE_FAILED'])
    expect(writes).toHaveLength(1)
    expect(failures).toHaveLength(1)
  })

  it('fails the same way when a commit cannot even be put together', async () => {
    const { failures, said, wait } = setup({
      cut() {
        throw new Error('no')
      },
    })
    wait('1')
    await turns()
    expect(said).toEqual(['1: OUTBOX_WRITE_FAILED'])
    expect(failures).toHaveLength(1)
  })

  it('when ended, answers the write under way as it turns out and refuses the rest, in order', async () => {
    const { commit, writes, failures, said, wait } = setup()
    commit.attach([op('a')])
    wait('1')
    await turns()
    wait('2')
    const ended = commit.end(new StopAcceptingError('CLOSED', 'closed'))
    wait('3')
    await turns()
    expect(said).toEqual([])
    writes[0]?.resolve()
    await ended
    await turns()
    expect(said).toEqual(['1', '2: CLOSED', '3: CLOSED'])
    expect(failures).toEqual([])
    expect(writes).toHaveLength(1)
  })

  it('when ended before its write began, never writes', async () => {
    const { commit, writes, said, wait } = setup()
    commit.attach([op('a')])
    wait('1')
    await commit.end(new StopAcceptingError('CLOSED', 'closed'))
    await turns()
    expect(said).toEqual(['1: CLOSED'])
    expect(writes).toEqual([])
  })

  it('lets a callback ask for more', async () => {
    const { commit, writes, said, wait } = setup()
    commit.attach([op('a')])
    commit.whenDurable(() => {
      commit.attach([op('b')])
      wait('inner')
    })
    wait('outer')
    await turns()
    writes[0]?.resolve()
    await turns()
    expect(said).toEqual(['outer'])
    writes[1]?.resolve()
    await turns()
    expect(said).toEqual(['outer', 'inner'])
  })
})
