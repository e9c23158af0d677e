// Reads the row of each query in the simple and in the extended protocol, and prints each value as it came. In text:
// node-postgres knows no other format.
// Run by test_masks.py, from the folder that has the packages.

import { createRequire } from 'node:module'
import process from 'node:process'

const { Client } = createRequire(process.cwd() + '/')('pg')

const endpoint = JSON.parse(process.env.ENDPOINT)
const client = new Client(endpoint.client)
await client.connect()
const asTheyCame = { getTypeParser: () => (value) => value }
const seen = []
for (const text of endpoint.queries) {
  const query = { text, types: asTheyCame, rowMode: 'array' }
  const { rows: simple } = await client.query(query)
  const { rows: extended } = await client.query({ ...query, queryMode: 'extended' })
  seen.push(simple[0], extended[0])
}
await client.end()
process.stdout.write(JSON.stringify(seen))
