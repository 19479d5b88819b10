import { OperatorError } from '../../../sync/contract/index.ts'
import { BoundedCache } from './bounded-cache.ts'
import { parseFilter } from './filter.ts'
import { readMatch, type TopicMatch } from './match.ts'
import { covers, matches, type Pattern } from './pattern.ts'
import { type CompiledTemplate, compileTemplate, type TopicTemplate } from './template.ts'

export interface TopicOptions {
  /** The gateway's own site: the only text that fits `{site}`. */
  readonly site: string
  /** Tried in this order: the first that matches decides. */
  readonly templates: readonly TopicTemplate[]
  /** MQTT topic filters of messages that are no readings. They go before the templates. */
  readonly local: readonly string[]
  /** Topics whose answer is remembered. */
  readonly cacheEntries?: number
}

/** Says what a topic is: readings of a device, a plain local message, or (null) nothing that was configured. */
export interface TopicMap {
  lookup(topic: string): TopicMatch | 'local' | null
}

const CACHE_ENTRIES = 50_000

/** Topics longer than this are matched each time: remembering them would let a hostile client fill the memory. */
const LONGEST_CACHED = 512

/**
 * Makes the topic map of a gateway.
 *
 * Local filters win over templates, so that `sensors/+/set` can be carved out of `sensors/{device}/{metric}`. A filter that
 * would swallow a whole template, and a template that an earlier one leaves nothing, are refused: both would turn
 * readings into something else without a word.
 *
 * @throws OperatorError `TOPIC_TEMPLATE_...` (see `compileTemplate`), `TOPIC_TEMPLATE_UNREACHABLE`, `TOPIC_FILTER_INVALID`
 */
export function compileTopics(options: TopicOptions): TopicMap {
  const templates = options.templates.map((template) => compileTemplate(template, options.site))
  const local = options.local.map(parseFilter)
  templates.forEach((template, i) => {
    const filter = local.findIndex((pattern) => covers(pattern, template.pattern))
    if (filter >= 0)
      throw unreachable(template, `the local topic filter '${options.local[filter]}' takes every message`)
    const earlier = templates.slice(0, i).find((other) => covers(other.pattern, template.pattern))
    if (earlier) throw unreachable(template, `the earlier template '${earlier.source.template}' takes every message`)
  })
  return new CachedTopicMap(templates, local, options.cacheEntries ?? CACHE_ENTRIES)
}

class CachedTopicMap implements TopicMap {
  readonly #templates: readonly CompiledTemplate[]
  readonly #local: readonly Pattern[]
  readonly #cache: BoundedCache<TopicMatch | 'local'>

  constructor(templates: readonly CompiledTemplate[], local: readonly Pattern[], cacheEntries: number) {
    this.#templates = templates
    this.#local = local
    this.#cache = new BoundedCache(cacheEntries)
  }

  lookup(topic: string): TopicMatch | 'local' | null {
    const known = this.#cache.get(topic)
    if (known !== undefined) return known
    const found = this.#find(topic)
    // Unknown topics are not worth a place: whoever invents them would drive out the devices.
    if (found !== null && topic.length <= LONGEST_CACHED) this.#cache.set(topic, found)
    return found
  }

  #find(topic: string): TopicMatch | 'local' | null {
    const levels = topic.split('/')
    if (this.#local.some((pattern) => matches(pattern, levels))) return 'local'
    const template = this.#templates.find(({ pattern }) => matches(pattern, levels))
    return template === undefined ? null : readMatch(template, levels)
  }
}

function unreachable(template: CompiledTemplate, fault: string): OperatorError {
  return new OperatorError(
    'TOPIC_TEMPLATE_UNREACHABLE',
    `topic template '${template.source.template}': ${fault} that it matches. Put the narrower one first or remove one`,
  )
}
