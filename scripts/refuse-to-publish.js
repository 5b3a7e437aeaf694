/** What is published are the packages that `npm run pack` makes, not this folder. */

console.error('This folder is not published: npm run pack makes the packages that are, in build/packages.')
process.exit(1)
