/** Lets packages be missing that the variable MISSING names. */
import { registerHooks } from "node:module"

const missing = (process.env.MISSING ?? "").split(",")

registerHooks({
  resolve(specifier, context, next) {
    if (!missing.some((name) => specifier === name || specifier.startsWith(`${name}/`))) return next(specifier, context)
    throw Object.assign(new Error(`Cannot find package '${specifier}'`), { code: "ERR_MODULE_NOT_FOUND" })
  }
})
