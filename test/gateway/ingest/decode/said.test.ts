import { describe, expect, it } from 'vitest'
import type { Said } from '../../../../gateway/ingest/acceptor.ts'
import { heed, tooOld } from '../../../../gateway/ingest/decode/index.ts'
import { decode, match, RECEIVED, TEMP } from './support.ts'

const ROOM = match({ template: 'sensors/{room}/{device}', metric: 'temp' }, 'sensors/r1/d1')
const said = (extra: Partial<Said>): Said => ({ user: [], contentType: null, expiry: null, ...extra })

describe('user properties', () => {
  it('become labels; of a name that comes twice, the last value', () => {
    const heeded = heed(
      TEMP,
      said({
        user: [
          ['line', 'a'],
          ['line', 'b'],
          ['shift', 'night'],
        ],
      }),
    )
    if ('code' in heeded) throw new Error(heeded.reason)
    expect(decode('1', heeded).readings[0]?.labels).toEqual({ line: 'b', shift: 'night' })
    expect(TEMP.labels).toBeNull()
  })

  it('give way to the topic, and go before the payload', () => {
    const heeded = heed(
      ROOM,
      said({
        user: [
          ['room', 'x'],
          ['line', 'a'],
        ],
      }),
    )
    if ('code' in heeded) throw new Error(heeded.reason)
    const { readings } = decode('{"value":1,"labels":{"line":"b","own":"c"}}', heeded)
    expect(readings[0]?.labels).toEqual({ room: 'r1', line: 'a', own: 'c' })
  })

  it.each([
    [[['', 'a']]],
    [[['a', '']]],
    [[['__proto__', 'a']]],
    [[['a', '\u0007']]],
    [Array.from({ length: 17 }, (_, n) => [`k${n}`, 'v'])],
  ])('that are no labels are a problem: %j', (user) => {
    expect(heed(TEMP, said({ user: user as unknown as Said['user'] }))).toMatchObject({ code: 'LABELS_INVALID' })
  })
})

describe('the content type', () => {
  it.each(['application/json', 'application/json; charset=utf-8', 'application/senml+json', 'text/plain', 'TEXT/CSV'])(
    'may be %s',
    (contentType) => expect(heed(TEMP, said({ contentType }))).toBe(TEMP),
  )

  it.each(['application/cbor', 'application/senml+cbor', 'image/png', 'json'])('may not be %s', (contentType) => {
    expect(heed(TEMP, said({ contentType }))).toMatchObject({ code: 'CONTENT_TYPE_UNSUPPORTED' })
  })
})

it('says how old a reading is that comes too late', () => {
  const reading = { device: 'd1', metric: 'temp', value: 1, time: RECEIVED - 70_000, received: RECEIVED }
  expect(tooOld(reading, RECEIVED, 60_000)).toEqual({
    code: 'MESSAGE_EXPIRED',
    reason: 'temp: expected a time at most 60000 ms back, came 70000 ms back',
  })
})
