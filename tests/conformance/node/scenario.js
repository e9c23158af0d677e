// What an application on node-postgres does, in one run; prints what it found as JSON. Run by test_node.py, from
// the folder that has the packages (which is why they are required from the current folder, not from here).

import { createRequire } from 'node:module'
import { once } from 'node:events'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { readFileSync } from 'node:fs'
import process from 'node:process'

const require = createRequire(process.cwd() + '/')
const { Client, Pool } = require('pg')
const Cursor = require('pg-cursor')
const copy = require('pg-copy-streams')

const endpoint = JSON.parse(process.env.ENDPOINT)
const settings = {
  host: endpoint.host,
  port: endpoint.port,
  user: endpoint.user,
  password: endpoint.password,
  database: endpoint.dbname,
  ssl: endpoint.sslrootcert ? { ca: readFileSync(endpoint.sslrootcert), rejectUnauthorized: true } : false,
}
const seen = {}

const client = new Client(settings)
await client.connect()

await client.query('CREATE TABLE people (id int PRIMARY KEY, name text NOT NULL, note jsonb, tags text[])')
for (let id = 1; id <= 50; id++) {
  await client.query('INSERT INTO people VALUES ($1, $2, $3, $4)', [id, `name ${id}`, { id }, ['a', `${id}`]])
}

const found = await client.query('SELECT * FROM people WHERE id = $1', [7])
seen.found = found.rows[0]
seen.fields = found.fields.map((field) => [field.name, field.dataTypeID])

const named = { name: 'by-id', text: 'SELECT name FROM people WHERE id = $1' }
seen.named = []
for (const id of [1, 2, 3]) seen.named.push((await client.query({ ...named, values: [id] })).rows[0].name)

const several = await client.query('SELECT 1 AS a; SELECT 2 AS b')
seen.several = several.map((result) => result.rows[0])

seen.queued = (await Promise.all([1, 2, 3].map((n) => client.query('SELECT $1::int AS n', [n])))).map(
  (result) => result.rows[0].n,
)

const cursor = client.query(new Cursor('SELECT id FROM people ORDER BY id'))
seen.cursor = [(await cursor.read(7)).length, (await cursor.read(100)).length]
await cursor.close()

await client.query('BEGIN')
await client.query("UPDATE people SET name = 'lost'")
await client.query('SAVEPOINT here')
try {
  await client.query('INSERT INTO people VALUES (1)')
} catch (error) {
  seen.error = [error.code, error.table, error.column]
}
await client.query('ROLLBACK TO here')
await client.query('ROLLBACK')
seen.rolledBack = (await client.query('SELECT name FROM people WHERE id = 1')).rows[0].name

const rows = Readable.from(Array.from({ length: 5000 }, (_, n) => `${n + 1000}\tcopied ${n}\n`))
await pipeline(rows, client.query(copy.from('COPY people (id, name) FROM STDIN')))
let octets = 0
for await (const chunk of client.query(copy.to('COPY (SELECT name FROM people WHERE id >= 1000) TO STDOUT'))) {
  octets += chunk.length
}
seen.copied = octets

await client.query('LISTEN news')
const heard = once(client, 'notification')
const pool = new Pool({ ...settings, max: 4 })
await pool.query("SELECT pg_notify('news', 'tidings')")
seen.heard = (await heard)[0].payload
const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => pool.query('SELECT $1::int AS n', [n])))
seen.pooled = answers.reduce((sum, answer) => sum + answer.rows[0].n, 0)
await pool.end()

const noticed = once(client, 'notice')
await client.query("DO $$ BEGIN RAISE NOTICE 'hear this'; END $$")
seen.notice = (await noticed)[0].message

await client.end()
process.stdout.write(JSON.stringify(seen))
