/** Colours of the output; every one is the text itself when colours are off. */
export type Style = {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
}

const sgr =
  (open: number, close: number) =>
  (text: string): string =>
    text === '' ? '' : `\x1b[${open}m${text}\x1b[${close}m`
const plain = (text: string): string => text

/** Opens a style. Text must be safe already: styles add the only escape sequences that are ever sent. */
export const openStyle = (colour: boolean): Style =>
  colour
    ? {
        bold: sgr(1, 22),
        dim: sgr(2, 22),
        good: sgr(32, 39),
        bad: sgr(31, 39),
        warn: sgr(33, 39),
      }
    : { bold: plain, dim: plain, good: plain, bad: plain, warn: plain }

/** Colours only on a terminal, and not with NO_COLOR (no-color.org) or TERM=dumb. */
export const wantsColour = (
  stream: { readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): boolean =>
  stream.isTTY === true &&
  (env['NO_COLOR'] === undefined || env['NO_COLOR'] === '') &&
  env['TERM'] !== 'dumb'
