import type { Message } from './attributes.ts'
import { problem, show } from './codes.ts'
import { isObject } from './fields.ts'
import type { Harvest } from './harvest.ts'
import { readObject } from './object.ts'
import { readSenml } from './senml.ts'
import { isSenml } from './senml-pack.ts'

/** The readings of a JSON array: a SenML pack, or a list of objects, each as it could stand alone. */
export function readArray(array: readonly unknown[], message: Message, harvest: Harvest): void {
  if (isSenml(array)) {
    readSenml(array, message, harvest)
    return
  }
  for (let i = 0; i < array.length && !harvest.overflown; i++) {
    const element = array[i]
    if (isObject(element)) readObject(element, message, harvest, `[${i}]`)
    else harvest.refuse(`[${i}]`, problem('READING_NOT_OBJECT', `expected an object, got ${show(element)}`))
  }
}
