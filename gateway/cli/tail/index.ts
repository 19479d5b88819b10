/** What only `tidegate tail` needs: loaded when it runs, as a gateway that starts has better things to do. */
export { follow } from './feed.ts'
export { Inspector } from './inspect.ts'
export { jsonPrinter, tablePrinter } from './printer.ts'
