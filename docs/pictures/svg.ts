/** Colours of all pictures: on a ground of their own, so that they can be read on any page, light or dark. */
const STYLE = `
  .ground{fill:#fff}.curve{stroke:#1f6392;fill:none}.dot{stroke:#1f6392;stroke-linecap:round;fill:none}
  .raise{stroke:#b3261e;fill:none;stroke-dasharray:6 3}.clear{stroke:#2c7a4b;fill:none;stroke-dasharray:2 3}
  .span{fill:#b3261e;opacity:.14}.deep{opacity:.3}.event{stroke:#333;fill:none}.frame{stroke:#bbb;fill:none}
  .box{fill:#fff;stroke:#1f6392}.loud{fill:#fff;stroke:#b3261e;stroke-width:2px}
  text{fill:#222;stroke:#fff;stroke-width:3px;paint-order:stroke}text.raise{fill:#b3261e;stroke:#fff;stroke-dasharray:none}text.clear{fill:#2c7a4b;stroke:#fff;stroke-dasharray:none}text.quiet{fill:#5a5a5a}
  @media (prefers-color-scheme:dark){
    .ground{fill:#0d1117}.curve,.dot{stroke:#79b8ff}.raise{stroke:#ff8a80}.clear{stroke:#7ee2a0}.span{fill:#ff8a80;opacity:.2}
    .deep{opacity:.4}.event{stroke:#ddd}.frame{stroke:#555}.box{fill:#0d1117;stroke:#79b8ff}.loud{fill:#0d1117;stroke:#ff8a80}
    text,text.raise,text.clear{stroke:#0d1117}text{fill:#e6edf3}text.raise{fill:#ff8a80}text.clear{fill:#7ee2a0}text.quiet{fill:#a5adb8}
  }`

/** @param body lines of SVG */
export function svg(width: number, height: number, title: string, body: readonly string[]): string {
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="system-ui, sans-serif" font-size="12">`,
    `<title>${escaped(title)}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${width}" height="${height}" rx="6"/>`,
    ...body,
    '</svg>',
  ].join('\n')}\n`
}

interface TextStyle {
  is?: string
  anchor?: 'start' | 'middle' | 'end'
  bold?: boolean
}

export function label(
  x: number,
  y: number,
  text: string,
  { is, anchor = 'start', bold = false }: TextStyle = {},
): string {
  const style = `${is ? ` class="${is}"` : ''}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`
  return `<text x="${short(x)}" y="${short(y)}"${style}${bold ? ' font-weight="600"' : ''}>${escaped(text)}</text>`
}

export const line = (is: string, points: readonly (readonly [x: number, y: number])[], more = ''): string =>
  `<path class="${is}" d="${points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${short(x)} ${short(y)}`).join('')}"${more}/>`

/** Enough for a picture, and the same on every machine. */
export const short = (value: number): string => String(Number(value.toFixed(1)))

/** About how wide a text becomes; no font is asked. */
export const widthOf = (text: string): number => text.length * 6.4

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
