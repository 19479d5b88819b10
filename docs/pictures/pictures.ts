import { parseRules, RuleSet } from '../../gateway/rules/index.ts'
import { drawStory } from './draw.ts'
import { examplesOf } from './examples.ts'
import { panelsOf } from './levels.ts'
import { drawLife } from './life.ts'
import { SCENES } from './scenes.ts'
import { play, type Story } from './story.ts'

/**
 * The pictures of docs/rules.md, by the name of their file: its rule sets, decided by the engine over the scenes of the same name.
 *
 * @param markdown the page
 */
export function rulePictures(markdown: string): Map<string, string> {
  const pictures = new Map([['life.svg', drawLife()]])
  for (const { picture, yaml } of examplesOf(markdown)) {
    const { scene, rule, story } = storyOf(picture, yaml)
    const panels = scene.metrics.flatMap((metric) => panelsOf(rule.condition, metric, story.readings))
    pictures.set(`${picture}.svg`, drawStory(picture, rule, panels, story))
  }
  return pictures
}

/** What the engine makes of a rule set over the scene of that name. */
export function storyOf(picture: string, yaml: string) {
  const scene = SCENES[picture]
  if (!scene)
    throw new Error(`expected a scene for the picture '${picture}', got only ${Object.keys(SCENES).join(', ')}`)
  const rules = new RuleSet(parseRules(yaml, picture))
  const { device, labels = {}, metrics } = scene
  const rule = metrics.flatMap(({ name }) => rules.select({ device, metric: name, labels }))[0]?.rule
  if (!rule) throw new Error(`expected a rule for ${device} in the rule set of the picture '${picture}'`)
  const story: Story = play(rules, scene)
  return { scene, rule, story }
}
