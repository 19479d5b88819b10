import { z } from 'zod'
import { duration, filePath } from '../fields.ts'

/** Where rules come from, beside HTTP and Node-RED. */
export const rules = z
  .strictObject({
    file: filePath(
      'Rule set to follow. A change holds at once; one that is not valid changes nothing.',
      'rules.yaml',
    ).optional(),
    checkEvery: duration('How often the file is looked at.', { min: 100 }).prefault('2s'),
  })
  .prefault({})
  .meta({ description: 'Threshold rules; what can stand in the file is in docs/rules.md.' })
