// Preloaded by a process of a test: its wall clock is as many milliseconds ahead as the address of this module says (`?ms=`), and as many
// behind after a SIGUSR2. Monotonic time is what it is.
let shift = Number(new URL(import.meta.url).searchParams.get('ms'))
process.on('SIGUSR2', () => {
  shift = -shift
})

const TrueDate = Date
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args, self) =>
    Reflect.construct(target, args.length === 0 ? [TrueDate.now() + shift] : args, self),
  apply: () => new TrueDate(TrueDate.now() + shift).toString(),
  get: (target, name) => (name === 'now' ? () => TrueDate.now() + shift : Reflect.get(target, name)),
})
