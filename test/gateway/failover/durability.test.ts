import { describe, expect, it } from 'vitest'
import { ReplicatedDurability } from '../../../gateway/failover/durability.ts'
import type { Lane, Offset } from '../../../sync/contract/index.ts'

const at = (readings: Offset): Record<Lane, Offset> => ({ readings, events: 0, deadletters: 0 })

/** A disk that is as fast as the test wants it to be. */
class Disk {
  appended = 0
  #written = 0
  readonly #waiting: ((error: Error | null) => void)[] = []

  whenDurable(callback: (error: Error | null) => void): void {
    this.#waiting.push(callback)
  }

  durable(lane: Lane): Offset {
    return lane === 'readings' ? this.#written : 0
  }

  readonly alone: string[] = []

  answeredAlone(refused: boolean, publishes: number): void {
    for (let i = 0; i < publishes; i++) this.alone.push(refused ? 'refused' : 'answered')
  }

  write(error: Error | null = null): void {
    this.#written = this.appended
    for (const callback of this.#waiting.splice(0)) callback(error)
  }
}

function gateway(whenAlone: 'degrade' | 'refuse' = 'degrade') {
  const disk = new Disk()
  const durability = new ReplicatedDurability(disk, whenAlone)
  const answers: string[] = []
  const publish = (name: string, how: 'local' | 'replicated' = 'replicated'): void => {
    disk.appended++
    durability.whenDurable(how, (error) => answers.push(error ? `${name} refused` : name))
  }
  return { disk, durability, answers, publish }
}

describe('a publish that is to be replicated', () => {
  it('is answered when it is on both disks, whichever is first', () => {
    const { disk, durability, answers, publish } = gateway()
    durability.stored('gw-b', at(0))
    publish('a')
    disk.write()
    expect(answers).toEqual([])
    durability.stored('gw-b', at(1))
    expect(answers).toEqual(['a'])
    publish('b')
    durability.stored('gw-b', at(2))
    expect(answers).toEqual(['a'])
    disk.write()
    expect(answers).toEqual(['a', 'b'])
  })

  it('waits for every peer that is in step, and not for one that is gone', () => {
    const { disk, durability, answers, publish } = gateway()
    durability.stored('gw-b', at(0))
    durability.stored('gw-c', at(0))
    publish('a')
    disk.write()
    durability.stored('gw-b', at(1))
    expect(answers).toEqual([])
    durability.lost('gw-c')
    expect(answers).toEqual(['a'])
  })

  it('is answered by the own disk alone while nobody is there, if that may be', () => {
    const { disk, durability, answers, publish } = gateway('degrade')
    expect(durability.alone).toBe(true)
    publish('a')
    publish('b', 'local')
    disk.write()
    expect(answers).toEqual(['a', 'b'])
    // Counted: what was to be on two disks, and is on one.
    expect(disk.alone).toEqual(['answered'])
  })

  it('is refused while nobody is there, if that may not be', () => {
    const { disk, durability, answers, publish } = gateway('refuse')
    publish('a')
    disk.write()
    durability.stored('gw-b', at(1))
    publish('b')
    disk.write()
    durability.lost('gw-b')
    publish('c', 'local')
    disk.write()
    expect(answers).toEqual(['a refused', 'b refused', 'c'])
  })

  it('is answered when the peer has its whole commit: more may have joined it since it was asked about', () => {
    const { disk, durability, answers, publish } = gateway()
    durability.stored('gw-b', at(0))
    publish('a')
    disk.appended++
    disk.write()
    durability.stored('gw-b', at(1))
    expect(answers).toEqual([])
    durability.stored('gw-b', at(2))
    expect(answers).toEqual(['a'])
  })

  it('counts as many as it is when it is many that are answered together', () => {
    const { disk, durability } = gateway()
    let publishes = 1
    durability.whenDurable(
      'replicated',
      () => undefined,
      () => publishes,
    )
    publishes = 3
    disk.write()
    expect(disk.alone).toEqual(['answered', 'answered', 'answered'])
  })

  it('keeps its place before one that waits for the own disk only', () => {
    const { disk, durability, answers, publish } = gateway()
    durability.stored('gw-b', at(0))
    publish('a')
    publish('b', 'local')
    disk.write()
    publish('c', 'local')
    disk.write()
    expect(answers).toEqual([])
    durability.stored('gw-b', at(3))
    expect(answers).toEqual(['a', 'b', 'c'])
  })

  it('is refused when the own disk fails, whoever has it', () => {
    const { disk, durability, answers, publish } = gateway()
    durability.stored('gw-b', at(1))
    publish('a')
    disk.write(new Error('the disk is full'))
    expect(answers).toEqual(['a refused'])
  })
})
