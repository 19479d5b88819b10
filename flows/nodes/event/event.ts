import type { Red } from '../red.ts'
import { connectionOf, eventMessage, startNode } from '../shared/index.ts'
import { type EventFilter, wanted } from './filter.ts'

interface EventConfig extends EventFilter {
  gateway?: string
}

/** Threshold events of the gateway, all or some, from every rule wherever it was written. At least once, also over a restart. */
export default function register(red: Red): void {
  red.nodes.registerType<EventConfig>('tidegate-event', function (config) {
    red.nodes.createNode(this, config)
    startNode(this, () => {
      const { events } = connectionOf(red, config.gateway)
      let count = 0
      events.join(this.id, {
        event: (event) => {
          if (!wanted(event, config)) return
          this.send(eventMessage(event))
          count++
          this.status({ fill: 'green', shape: 'dot', text: `${count}: ${event.device} ${event.rule}`.slice(0, 60) })
        },
        gap: (text) => {
          this.warn(text)
          this.status({ fill: 'yellow', shape: 'dot', text: 'events are missing' })
        },
        link: (up) => this.status(up ? { fill: 'green', shape: 'ring', text: 'listening' } : AWAY),
      })
      this.on('close', (removed, done) => {
        events.leave(this.id, removed)
        done()
      })
    })
  })
}

const AWAY = { fill: 'grey', shape: 'ring', text: 'waiting for the gateway' } as const
