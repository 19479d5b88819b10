import { z } from 'zod'
import { integer, text } from '../fields.ts'

/** The HTTP door for people and programs of the site. */
export const api = z
  .strictObject({
    host: text('Address to listen on. Beyond the loopback, put TLS in front of it.', '127.0.0.1').prefault('127.0.0.1'),
    port: integer('Port; 0 takes any free one. `api.json` in the data folder says which, and the token.', {
      max: 65_535,
    }).prefault(0),
  })
  .prefault({})
  .meta({ description: 'HTTP: rules, alarms, live events and readings. Every request needs the token in `api.json`.' })
