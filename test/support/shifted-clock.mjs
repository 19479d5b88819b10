// Preloaded by a process of a test: its wall clock is as many milliseconds ahead as the address of this module says (`?ms=`), and
// after a SIGUSR2 as many as `then=` says. Monotonic time is what it is.
const { searchParams } = new URL(import.meta.url)
let shift = Number(searchParams.get('ms'))
process.on('SIGUSR2', () => {
  shift = Number(searchParams.get('then'))
})

const TrueDate = Date
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [TrueDate.now() + shift] : args, self),
  apply: () => new TrueDate(TrueDate.now() + shift).toString(),
  get: (target, name) => (name === 'now' ? () => TrueDate.now() + shift : Reflect.get(target, name)),
})
