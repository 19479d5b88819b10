import { isDeepStrictEqual } from 'node:util'
import { RetryableError } from '../../../sync/contract/index.ts'
import type { Dot, FlowNode, Message, Red } from '../red.ts'
import {
  belongsTo,
  connectionOf,
  eventMessage,
  kindOf,
  type RuleDraft,
  type Standing,
  startNode,
} from '../shared/index.ts'
import { changedRule, changeOf, type RuleChange } from './change.ts'
import { dotOf } from './dot.ts'
import { ruleIdOf, ruleOf, type ThresholdForm } from './form.ts'

interface ThresholdConfig extends ThresholdForm {
  gateway?: string
}

/** Changes by message that may wait for a gateway that is away. */
const MESSAGES_AT_MOST = 100

/** Where a change by message is kept: beyond deploys and restarts, until the form is filled in anew. */
const CHANGE_KEY = 'tidegate-rule'

interface KeptChange {
  /** The rule of the form that was changed. */
  of: RuleDraft
  change: RuleChange
}

/** One rule, drawn as a node: the gateway decides it; what comes out are its events. */
export default function register(red: Red): void {
  red.nodes.registerType<ThresholdConfig>('tidegate-threshold', function (config) {
    red.nodes.createNode(this, config)
    startNode(this, () => void new Threshold(red, this, config))
  })
}

class Threshold {
  readonly #node: FlowNode
  readonly #form: ThresholdForm
  #change: RuleChange | null
  #standing: Standing = { state: 'waiting', text: 'to be deployed' }
  #link = false
  #turns = 0
  #last: Promise<unknown> = Promise.resolve()
  #dot: Dot = {}
  readonly #raised: () => number

  constructor(red: Red, node: FlowNode, form: ThresholdConfig) {
    const { rules, events, alarms } = connectionOf(red, form.gateway)
    const id = ruleIdOf(form)
    this.#node = node
    this.#form = form
    this.#change = this.#keptChange()
    this.#raised = () => alarms.count(id)
    const stopWatching = alarms.watch(() => this.#show())
    rules.add(node.id, {
      label: form.name || id,
      rule: () => this.#rule(),
      stands: (standing) => this.#stands(standing),
    })
    events.join(node.id, {
      event: (event) => {
        if (!belongsTo(event.rule, id)) return
        const kind = kindOf(event)
        if (kind === null) return
        const message = eventMessage(event)
        node.send([kind === 'raised' ? message : null, kind === 'cleared' ? message : null, message])
      },
      gap: (text) => node.warn(text),
      link: (up) => {
        this.#link = up
        this.#show()
      },
    })
    const deploy = { changed: () => rules.changed(node.id), again: () => rules.deploy() }
    node.on('input', (message, _send, done) => {
      this.#inTurn(() => this.#input(message, deploy)).then(
        () => done(),
        (error) => done(error),
      )
    })
    node.on('close', (removed, done) => {
      stopWatching()
      rules.remove(node.id)
      events.leave(node.id, removed)
      done()
    })
  }

  /** One message after the other: the next builds on what has become of the one before. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    if (this.#turns >= MESSAGES_AT_MOST) {
      return Promise.reject(
        new RetryableError('RULE_BUSY', `${MESSAGES_AT_MOST} changes wait for the gateway: send them more slowly`),
      )
    }
    this.#turns++
    const turn = this.#last.then(work).finally(() => this.#turns--)
    this.#last = turn.catch(() => undefined)
    return turn
  }

  /** Takes a change that came by message, and goes back to what was when the gateway does not take it. */
  async #input(message: Message, deploy: { changed(): Promise<void>; again(): void }): Promise<void> {
    const before = this.#change
    this.#change = changeOf(message, ruleOf(this.#form), before)
    try {
      await deploy.changed()
    } catch (error) {
      this.#change = before
      deploy.again()
      throw error
    }
    this.#keep()
    this.#show()
  }

  #rule(): RuleDraft {
    const rule = ruleOf(this.#form)
    return this.#change === null ? rule : changedRule(rule, this.#change)
  }

  #stands(standing: Standing): void {
    const news = standing.state === 'problem' && !isDeepStrictEqual(standing, this.#standing)
    this.#standing = standing
    this.#show()
    // With a message, so that it reaches Catch nodes too.
    if (news) this.#node.error(standing.text, { topic: ruleIdOf(this.#form) })
  }

  #show(): void {
    const dot = dotOf({
      standing: this.#standing,
      raised: this.#raised(),
      link: this.#link,
      changed: this.#change !== null,
    })
    // Every alarm of the gateway leads here: only what is new is worth a message to the editor.
    if (isDeepStrictEqual(dot, this.#dot)) return
    this.#dot = dot
    this.#node.status(dot)
  }

  #keep(): void {
    const kept: KeptChange | undefined =
      this.#change === null ? undefined : { of: ruleOf(this.#form), change: this.#change }
    this.#node.context().set(CHANGE_KEY, kept)
  }

  /** What a message changed before the restart, unless somebody has filled in the form anew since: the later word counts. */
  #keptChange(): RuleChange | null {
    const kept = this.#node.context().get(CHANGE_KEY) as KeptChange | undefined
    if (kept === undefined) return null
    try {
      return isDeepStrictEqual(kept.of, JSON.parse(JSON.stringify(ruleOf(this.#form)))) ? kept.change : null
    } catch {
      return null
    }
  }
}
