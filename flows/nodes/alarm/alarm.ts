import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import type { Message, Red } from '../red.ts'
import { connectionOf, eventMessage, startNode } from '../shared/index.ts'
import { type AlarmForm, requestOf } from './request.ts'

interface AlarmConfig extends AlarmForm {
  gateway?: string
}

/** What a person does about an alarm: acknowledge, shelve, reset, ... The message goes on when the gateway has done it. */
export default function register(red: Red): void {
  red.nodes.registerType<AlarmConfig>('tidegate-alarm', function (config) {
    red.nodes.createNode(this, config)
    startNode(this, () => {
      const { api } = connectionOf(red, config.gateway)
      const act = async (message: Message): Promise<Message> => {
        const request = requestOf(message, config)
        const event = await api.post<ThresholdEvent>('/alarms/act', request)
        this.status({
          fill: 'green',
          shape: 'dot',
          text: `${request.action} ${request.device} ${request.rule}`.slice(0, 60),
        })
        return { ...message, ...eventMessage(event) }
      }
      this.on('input', (message, send, done) => {
        act(message).then(
          (answer) => {
            send(answer)
            done()
          },
          (error) => {
            this.status({ fill: 'red', shape: 'ring', text: String(error.message).slice(0, 60) })
            done(error)
          },
        )
      })
    })
  })
}
