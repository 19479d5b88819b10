/** From MQTT topics to devices, metrics and labels. */
export type { TopicMatch, TopicProblem } from './match.ts'
export { MAX_LABELS, MAX_NAME, nameFault, textFault } from './names.ts'
export { type Durability, MAX_UNIT, type TopicTemplate } from './template.ts'
export { compileTopics, type TopicMap, type TopicOptions } from './topic-map.ts'
