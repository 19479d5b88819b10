import { describe, expect, it } from 'vitest'
import { type Move, MoveTimer } from '../../../simulators/fleet/move-timer.ts'

/** A timer whose gateway 0 is killed at 1000. */
function orphaned(): { timer: MoveTimer; ends: (Move | null)[] } {
  const ends: (Move | null)[] = []
  const timer = new MoveTimer()
  timer.connected(0, 10)
  timer.acknowledged(20)
  timer.killed(0, 1000, (move) => ends.push(move))
  return { timer, ends }
}

describe('the time that a move takes', () => {
  it('goes from the kill, and from its notice, to the first acknowledgement elsewhere', () => {
    const { timer, ends } = orphaned()
    timer.closed(1030)
    timer.connected(1, 1280)
    timer.acknowledged(1400)
    timer.acknowledged(1500)
    expect(ends).toEqual([{ from: 0, to: 1, afterKill: 400, afterNotice: 370, connected: 280 }])
  })

  it('does not end with what the dead gateway had acknowledged before', () => {
    const { timer, ends } = orphaned()
    timer.acknowledged(1005)
    expect(ends).toEqual([])
  })

  it('goes on over connections that end before anything is acknowledged', () => {
    const { timer, ends } = orphaned()
    timer.closed(1030)
    timer.connected(1, 1280)
    timer.closed(1300)
    timer.connected(2, 1600)
    timer.acknowledged(1700)
    expect(ends).toEqual([{ from: 0, to: 2, afterKill: 700, afterNotice: 670, connected: 600 }])
  })

  it.each([
    ['the connection comes back to the same gateway', (timer: MoveTimer) => timer.connected(0, 3000)],
    ['the device starts again', (timer: MoveTimer) => timer.forget()],
    ['another kill comes before it has arrived', (timer: MoveTimer) => timer.killed(1, 2000, () => undefined)],
  ])('is not known when %s', (_, happens) => {
    const { timer, ends } = orphaned()
    timer.closed(1030)
    happens(timer)
    timer.acknowledged(3100)
    expect(ends).toEqual([null])
  })
})
