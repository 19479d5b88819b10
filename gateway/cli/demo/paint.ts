const CODES = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' } as const

/** Gives a text a style, or leaves it as it is where colours are not wanted. */
export type Paint = (style: keyof typeof CODES, text: string) => string

export const painter =
  (colours: boolean): Paint =>
  (style, text) =>
    colours ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text
