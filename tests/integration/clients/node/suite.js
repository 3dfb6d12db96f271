'use strict'
// node-postgres. Called as `node suite.js FILE`; clients/report.py says what is printed.
const assert = require('node:assert')
const crypto = require('node:crypto')
const fs = require('node:fs')
const path = require('node:path')
const { Client, Query } = require(path.join(process.env.NODE_MODULES, 'pg'))

const SCENARIO_MILLISECONDS = 60_000
const sha256 = (data) => crypto.createHash('sha256').update(data).digest('hex')

function client(target, more = {}) {
  return new Client({
    host: target.host, port: target.port, user: target.user, password: target.password, database: target.database,
    ssl: target.tls ? { ca: fs.readFileSync(target.ca, 'utf8'), servername: target.host } : false,
    enableChannelBinding: target.binding, connectionTimeoutMillis: 10_000,
    options: `-c search_path=${target.schema}`, ...more,
  })
}

async function using(target, work, more = {}) {
  const connection = client(target, more)
  await connection.connect()
  try {
    return await work(connection)
  } finally {
    await connection.end()
  }
}

const one = async (connection, text, values) => Object.values((await connection.query(text, values)).rows[0])[0]

async function fails(promise, code) {
  await assert.rejects(promise, (failure) => {
    assert.strictEqual(failure.code, code, failure.stack)
    return true
  })
}

/** COPY as node-postgres lets one write it: an object that is submitted like a query. */
class Copy {
  constructor(text, source) {
    this.text = text
    this.source = source
    this.chunks = []
    this.done = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }))
  }
  submit(connection) { connection.query(this.text) }
  handleCopyInResponse(connection) {
    for (const chunk of this.source) connection.sendCopyFromChunk(chunk)
    connection.endCopyFrom()
  }
  handleCopyData(message) { this.chunks.push(Buffer.from(message.chunk)) } // the chunk is a view of a buffer that is used again
  handleCommandComplete(message) { this.tag = message.text }
  handleRowDescription() {}
  handleDataRow() {}
  handleError(failure) { this.reject(failure) }
  handleReadyForQuery() { this.resolve(this) }
}

const scenarios = {
  session: (target) => using(target, async (connection) => {
    assert.strictEqual(await one(connection, 'select 6 * 7'), 42)
    assert.strictEqual(Math.floor(await one(connection, "select current_setting('server_version_num')::int") / 10000),
                       target.version)
    assert.strictEqual(await one(connection, 'select $1::text', ['späß ☃']), 'späß ☃')
    assert.strictEqual(Boolean(connection.connection.stream.encrypted), target.tls)
  }),

  async wrong_password(target) {
    await fails(client(target, { password: 'wrong' }).connect(), '28P01')
    await fails(client(target, { database: 'no_such_database' }).connect(), '3D000')
  },

  transactions: (target) => using(target, (a) => using(target, async (b) => {
    await a.query('create table node_accounts (id int primary key, amount int)')
    await a.query('begin')
    await a.query('insert into node_accounts values ($1, $2)', [1, 10])
    assert.strictEqual(await one(b, 'select count(*)::int from node_accounts'), 0)
    await a.query('savepoint s')
    await fails(a.query('insert into node_accounts values (1, 1)'), '23505')
    await fails(a.query('select 1'), '25P02')
    await a.query('rollback to s')
    await a.query('commit')
    assert.strictEqual(await one(b, 'select sum(amount)::int from node_accounts'), 10)
    const many = await a.query('select 1 as x; select 2 as x; select 3 as x')
    assert.deepStrictEqual(many.map((each) => each.rows[0].x), [1, 2, 3])
    await a.query('drop table node_accounts')
  })),

  prepared: (target) => using(target, async (connection) => {
    for (let i = 0; i < 200; i++) {
      const answer = await connection.query({
        name: 'mine', text: 'select $1::int + 1 as a, $2::text as b, $3::bytea as c',
        values: [i, `t${i}`, Buffer.alloc(i, i)],
      })
      assert.deepStrictEqual(answer.rows[0], { a: i + 1, b: `t${i}`, c: Buffer.alloc(i, i) })
    }
  }),

  /** node-postgres queues; here all statements are queued at once, so answers and requests cross. */
  /** Several at once with named queries: the same names, other texts. */
  async shared(target) {
    const sessions = [0, 1, 2, 3].map(() => client(target))
    await Promise.all(sessions.map((session) => session.connect()))
    await Promise.all(sessions.map(async (session, number) => {
      const who = `session ${number}`
      await session.query(`set statement_timeout = '${100 + number}s'`)
      for (let turn = 0; turn < 15; turn++) {
        const text = `select $1::int as turn, '${who}' as who`
        const { rows } = await session.query({ name: 'mine', text, values: [turn] })
        assert.deepStrictEqual(rows, [{ turn, who }])
        await session.query('begin')
        assert.strictEqual(await one(session, 'select $1::int', [number]), number)
        await session.query(turn % 2 ? 'commit' : 'rollback')
      }
      assert.strictEqual(await one(session, "select current_setting('statement_timeout')"), `${100 + number}s`)
    }))
    await Promise.all(sessions.map((session) => session.end()))
  },

  pipeline: (target) => using(target, async (connection) => {
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) =>
      connection.query("select $1::int as i, repeat('x', $1::int * 10) as text", [i])))
    answers.forEach((answer, i) => assert.deepStrictEqual(answer.rows[0], { i, text: 'x'.repeat(i * 10) }))
  }),

  copy: (target) => using(target, async (connection) => {
    const lines = Array.from({ length: 40_000 }, (_, i) => Buffer.from(`${i}\t${crypto.randomUUID()}\n`))
    await connection.query('create temp table node_copy (id int, line text)')
    const into = connection.query(new Copy('copy node_copy from stdin', lines))
    await into.done
    assert.strictEqual(into.tag, 'COPY 40000')
    const back = await connection.query(new Copy('copy (select * from node_copy order by id) to stdout', [])).done
    assert.strictEqual(sha256(Buffer.concat(back.chunks)), sha256(Buffer.concat(lines)))
    await fails(connection.query(new Copy('copy node_copy from stdin', [Buffer.from('no number\n')])).done, '22P02')
    assert.strictEqual(await one(connection, 'select 1'), 1)
  }),

  notify: (target) => using(target, (listener) => using(target, async (speaker) => {
    const wanted = Array.from({ length: 50 }, (_, i) => `payload ${i}` + 'y'.repeat(i * 10))
    const heard = []
    const done = new Promise((resolve) => listener.on('notification', (note) => {
      if (heard.push(note.payload) === wanted.length) resolve()
    }))
    await listener.query('listen "node"')
    for (const text of wanted) await speaker.query('select pg_notify($1, $2)', ['node', text])
    await done
    assert.deepStrictEqual(heard, wanted)
  })),

  /** node-postgres sends its CancelRequest without TLS. */
  cancel: (target) => using(target, async (connection) => {
    for (let i = 0; i < 2; i++) {
      const query = new Query('select pg_sleep(30)', (failure) =>
        (failure ? query.rejected(failure) : query.resolved()))
      const answer = new Promise((resolve, reject) => Object.assign(query, { resolved: resolve, rejected: reject }))
      connection.query(query)
      setTimeout(() => client(target, { ssl: false }).cancel(connection, query), 250)
      const started = Date.now()
      await fails(answer, '57014')
      assert(Date.now() - started < 15000, 'the cancel was late')
    }
    assert.strictEqual(await one(connection, 'select 1'), 1)
  }),

  async failures(target) {
    await using(target, async (connection) => {
      await fails(connection.query('selec 1'), '42601')
      await fails(connection.query('select 1 / $1::int', [0]), '22012')
      await fails(connection.query('select 100 / (2000 - g) from generate_series(1, 3000) g'), '22012')
      assert.strictEqual(await one(connection, 'select 1'), 1)
    })
    const victim = client(target)
    const told = new Promise((resolve) => {
      victim.on('error', resolve)
      setTimeout(resolve, 5_000, {}).unref() // behind a pool it is on another connection by then
    })
    await victim.connect()
    const pid = await one(victim, 'select pg_backend_pid()')
    await using(target, (other) => other.query('select pg_terminate_backend($1)', [pid]))
    assert.strictEqual((await told).code, '57P01')
    await victim.end().catch(() => {})
  },

  notices: (target) => using(target, async (connection) => {
    const heard = []
    connection.on('notice', (notice) => heard.push(notice.message))
    await connection.query("do $$ begin for i in 1..300 loop raise notice 'number %', i; end loop; end $$")
    assert.deepStrictEqual(heard, Array.from({ length: 300 }, (_, i) => `number ${i + 1}`))
  }),

  large: (target) => using(target, async (connection) => {
    const blob = crypto.randomBytes(16 << 20)
    const answer = (await connection.query("select encode(sha256($1), 'hex') as digest, $1::bytea as back", [blob])).rows[0]
    assert.strictEqual(answer.digest, sha256(blob))
    assert.strictEqual(sha256(answer.back), sha256(blob))
    assert.strictEqual((await connection.query('select g from generate_series(1, 60000) g')).rows.length, 60000)
  }),
}

async function main() {
  for (const target of JSON.parse(fs.readFileSync(process.argv[2], 'utf8'))) {
    for (const [name, scenario] of Object.entries(scenarios)) {
      let timer
      const bound = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error('took too long')), SCENARIO_MILLISECONDS)
      })
      try {
        await Promise.race([scenario(target), bound])
        console.log(`ok ${target.name} ${name}`)
      } catch (failure) {
        console.error(failure)
        console.log(`not ok ${target.name} ${name}: ${String(failure.message).replaceAll('\n', ' | ')}`)
      } finally {
        clearTimeout(timer)
      }
    }
  }
  process.exit(0)
}

main()
