/** `1234567` as people read it. */
export const number = (value: number): string => Math.round(value).toLocaleString('en')

export const perSecond = (rate: number): string => `${number(rate)}/s`
