/** Reads a CycloneDX bill of materials from standard input, and fails where CycloneDX's own schema does. */

import { text } from 'node:stream/consumers'
import { Validation } from '@cyclonedx/cyclonedx-library'

const bill = await text(process.stdin)
const errors = await new Validation.JsonStrictValidator(JSON.parse(bill).specVersion).validate(bill)
if (errors) {
  console.error(errors)
  process.exit(1)
}
