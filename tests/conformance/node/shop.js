// What an application on node-postgres does with the shop's protected tables; each step gives a result or an
// error, printed as JSON. Run by test_corpus.py, once on either twin.

import { createRequire } from 'node:module'
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { readFileSync } from 'node:fs'
import process from 'node:process'

const require = createRequire(process.cwd() + '/')
const { Client } = require('pg')
const Cursor = require('pg-cursor')
const copy = require('pg-copy-streams')

const endpoint = JSON.parse(process.env.ENDPOINT)
const client = new Client({
  host: endpoint.host,
  port: endpoint.port,
  user: endpoint.user,
  password: endpoint.password,
  database: endpoint.dbname,
  ssl: endpoint.sslrootcert ? { ca: readFileSync(endpoint.sslrootcert), rejectUnauthorized: true } : false,
})
await client.connect()

const ada = 'ada.xq7mark@example.org'
const bob = 'bob.xq7mark@example.org'
const rows = async (text, values) => (await client.query(text, values)).rows
const seen = {}

async function step(name, run) {
  try {
    seen[name] = await run()
  } catch (error) {
    const said = /strongroom: .* \[([a-z-]+)\]/s.exec(error.message)
    seen[name] = said ? { error: error.code, refused: said[1] } : { error: error.code ?? error.name }
  }
}

await step('all', () => rows('SELECT * FROM customers ORDER BY id'))
await step('fields', async () =>
  (await client.query('SELECT * FROM customers')).fields.map((one) => [one.name, one.dataTypeID, one.dataTypeSize, one.dataTypeModifier, one.format]),
)
await step('byValue', () => rows('SELECT id FROM customers WHERE email = $1', [ada]))
await step('byNumber', () => rows('SELECT id FROM customers WHERE visits = $1 ORDER BY id', [731100001]))
await step('byList', () => rows('SELECT id FROM customers WHERE email = ANY($1) ORDER BY id', [[ada, bob]]))
await step('byNull', () => rows('SELECT id FROM customers WHERE iban IS NULL'))
await step('named', async () => {
  const found = []
  for (const email of [ada, bob, 'none.xq7mark']) {
    found.push(await rows({ name: 'by-email', text: 'SELECT iban FROM customers WHERE email = $1', values: [email] }))
  }
  return found
})
await step('binary', async () => (await client.query({ text: 'SELECT visits FROM customers ORDER BY id', binary: true })).rows.map((row) => String(row.visits)))
await step('insert', () =>
  rows(
    'INSERT INTO customers (id, email, born, credit, profile, tags, seen) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *',
    [50, 'node.xq7mark', '1847-09-09', '98765432.5', { likes: 'xq7mark' }, ['xq7mark', null, 'a "b"'], new Date('1847-01-01T00:00:00Z')],
  ),
)
await step('insertNull', () => rows('INSERT INTO customers (id, email, iban) VALUES ($1, $2, $3) RETURNING iban', [51, 'null.xq7mark', null]))
await step('insertUnnest', () => rows('INSERT INTO customers (id, email) SELECT * FROM unnest($1::int[], $2::text[]) RETURNING id, email', [[60, 61], ['a.xq7mark', 'b.xq7mark']]))
await step('update', async () => (await client.query('UPDATE customers SET iban = $1 WHERE email = $2', ['up xq7mark', bob])).rowCount)
await step('upsert', () => rows('INSERT INTO customers (email, iban) VALUES ($1, $2) ON CONFLICT (email) DO UPDATE SET iban = excluded.iban RETURNING id, iban', [ada, 'again xq7mark']))
await step('delete', () => rows('DELETE FROM orders WHERE email = $1 RETURNING id, card', [bob]))
await step('duplicate', () => rows('INSERT INTO customers (id, email) VALUES (70, $1)', [ada]))
await step('badDate', () => rows('INSERT INTO customers (id, email, born) VALUES (70, $1, $2)', ['x.xq7mark', '1847-02-30']))
await step('several', async () => (await client.query("SELECT email FROM customers WHERE id = 1; SELECT id FROM customers WHERE email = 'bob.xq7mark@example.org'")).map((one) => one.rows))
await step('queued', () => Promise.all([ada, bob, 'x.xq7mark'].map((email) => rows('SELECT id FROM customers WHERE email = $1', [email]))))
await step('cursor', async () => {
  const cursor = client.query(new Cursor('SELECT email FROM customers WHERE id < 10 ORDER BY id'))
  const found = [await cursor.read(2), await cursor.read(100)]
  await cursor.close()
  return found
})
await step('copyIn', async () => {
  await pipeline(Readable.from(['80\tcopied.xq7mark\t1847-10-10\n', '81\tcopied too.xq7mark\t\\N\n']), client.query(copy.from('COPY customers (id, email, born) FROM STDIN')))
  return rows('SELECT id, email, born FROM customers WHERE id >= 80 AND id < 90 ORDER BY id')
})
await step('copyOut', async () => {
  let text = ''
  for await (const chunk of client.query(copy.to('COPY (SELECT email, phone FROM customers WHERE id < 10 ORDER BY id) TO STDOUT'))) text += chunk
  return text
})
await step('typedParameters', () => rows('INSERT INTO customers (id, email, phone, born, visits, seen) VALUES ($1::int, $2::text, $3::varchar, $4::date, $5::int, $6::timestamptz) RETURNING *', [52, 'typed.xq7mark', '+98765432', '1847-01-02', 731100000, new Date('1847-01-01T00:00:00Z')]))
await step('cutByCast', () => rows('UPDATE customers SET phone = $1::varchar(9) WHERE id = 52 RETURNING phone', ['+98765432 and more']))
await step('listOfTexts', () => rows('SELECT id FROM customers WHERE email = ANY($1::text[]) AND NOT email = ANY($2::varchar[])', [[ada, bob], [bob]]))
await step('notInList', () => rows('SELECT id FROM customers WHERE email <> ALL($1) AND id < 10 ORDER BY id', [[ada, bob]]))
await step('optionalFilter', () => rows('SELECT id FROM customers WHERE ($1::text IS NULL OR email = $1) AND id < 10 ORDER BY id', [null]))
await step('partialUpdate', () => rows('UPDATE customers SET iban = COALESCE($1, iban), phone = COALESCE($2, phone) WHERE id = $3 RETURNING iban, phone', [null, '+98765432 3', 3]))
await step('jsonParameter', () => rows('UPDATE customers SET profile = $1::json WHERE id = 1 RETURNING profile', [JSON.stringify({ b: 'xq7mark', a: [1] })]))
await step('numberIntoText', () => rows('UPDATE customers SET iban = $1 WHERE id = 1 RETURNING iban', [98765432]))
await step('booleanIntoText', () => rows('UPDATE customers SET iban = $1 WHERE id = 1 RETURNING iban', [true]))
await step('rowsAsArrays', async () => (await client.query({ text: 'SELECT email, visits::text FROM customers WHERE id < 4 ORDER BY id', rowMode: 'array' })).rows)
await step('joined', () => rows('SELECT o.id, c.email FROM orders o JOIN customers c USING (email) ORDER BY o.id', []))
await step('withQuery', () => rows('WITH hers AS (SELECT id FROM customers WHERE email = $1) SELECT o.card FROM orders o JOIN hers ON hers.id = o.customer_id ORDER BY o.id', [ada]))
await step('jsonOfRows', () => rows('SELECT row_to_json(c) FROM customers c', []))
await step('like', () => rows('SELECT id FROM customers WHERE email LIKE $1', ['ada.xq7mark%']))
await step('refusedInTransaction', async () => {
  await client.query('BEGIN')
  try {
    await client.query("INSERT INTO contacts (id, name) VALUES (90, 'kept?')")
    await client.query('SELECT id FROM customers WHERE email LIKE $1', ['ada.xq7mark%'])
    throw new RangeError('the twin has no reason of its own to roll back')
  } finally {
    await client.query('ROLLBACK')
  }
})
await step('commitOfRefused', async () => {
  await client.query('BEGIN')
  await client.query("INSERT INTO contacts (id, name) VALUES (91, 'kept?')")
  await client.query('SELECT lower(email) FROM customers').catch(() => client.query('SELECT 1 / 0').catch(() => {}))
  return (await client.query('ROLLBACK')).command
})
await step('nothingKept', () => rows("SELECT count(*) FROM contacts WHERE name = 'kept?'"))

await client.end()
process.stdout.write(JSON.stringify(seen))
