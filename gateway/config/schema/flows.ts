import { z } from 'zod'
import { flag, integer, text } from '../fields.ts'

/** Node-RED, as a process of its own beside the gateway. */
export const flows = z
  .strictObject({
    enabled: flag('Start Node-RED and keep it running.').prefault(false),
    host: text('Address of the editor. Beyond the loopback, put TLS in front of it.', '127.0.0.1').prefault(
      '127.0.0.1',
    ),
    port: integer('Port of the editor.', { min: 1, max: 65_535 }).prefault(1880),
  })
  .prefault({})
  .meta({ description: 'Node-RED, where rules and reactions are drawn; see docs/node-red.md.' })
