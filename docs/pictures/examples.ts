/** A rule set in docs/rules.md, and the picture that is shown with it. */
export interface Example {
  /** Of the picture's file, without its ending. */
  picture: string
  yaml: string
}

/** Every rule set of the page that has a picture: what is read there is what the picture is made with. */
export function examplesOf(markdown: string): Example[] {
  return [...markdown.matchAll(/^```yaml\n(.*?)^```\n/gms)].flatMap((block) => {
    const after = markdown.slice(block.index + block[0].length)
    const picture = /^\s*!\[[^\]]*\]\(pictures\/rules\/([\w-]+)\.svg\)/.exec(after)?.[1]
    return picture === undefined ? [] : [{ picture, yaml: block[1] ?? '' }]
  })
}
