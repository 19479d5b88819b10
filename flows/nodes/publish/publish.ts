import { systemClock, systemRandom } from '../../../sync/runtime/index.ts'
import type { Message, Red } from '../red.ts'
import { publisherOf, startNode } from '../shared/index.ts'
import { deriveReading, type PublishForm } from './derive.ts'

interface PublishConfig extends PublishForm {
  gateway?: string
}

/** Values that a flow has worked out become readings like any other: stored, decided on, forwarded. */
export default function register(red: Red): void {
  red.nodes.registerType<PublishConfig>('tidegate-publish', function (config) {
    red.nodes.createNode(this, config)
    startNode(this, () => {
      const publisher = publisherOf(red, config.gateway)
      publisher.acquire()
      let count = 0
      const take = async (message: Message): Promise<string> => {
        const { device, metric, body } = deriveReading(message, config, systemRandom.hex(8), systemClock.now())
        return await publisher.publish({ device, metric }, body)
      }
      this.on('input', (message, send, done) => {
        take(message).then(
          (topic) => {
            this.status({ fill: 'green', shape: 'dot', text: `${++count} on disk` })
            send({ ...message, topic })
            done()
          },
          (error) => {
            this.status({ fill: 'red', shape: 'ring', text: String(error.message).slice(0, 60) })
            done(error)
          },
        )
      })
      this.on('close', (_removed, done) => {
        publisher.release().then(done, done)
      })
    })
  })
}
