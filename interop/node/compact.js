// Reads and writes sealsql's compact values with node's own cryptography, from
// docs/FORMAT.md alone. "node compact.js vectors" prints the vectors of
// codec/compact/testdata; without an argument it answers requests on stdin, one JSON
// object a line.
'use strict'
const crypto = require('crypto')
const readline = require('readline')

const lp = s => {
  const b = Buffer.from(s, 'utf8')
  return Buffer.concat([Buffer.from([b.length >> 8, b.length & 255]), b])
}

function subkey (r, use) {
  const info = Buffer.concat([Buffer.from('sealsql/compact/v1'), lp(use), lp(r.table), lp(r.column)])
  return Buffer.from(crypto.hkdfSync('sha256', Buffer.from(r.branchKey, 'hex'), '', info, 32))
}

function keyID (r) {
  const h = crypto.createHash('sha256')
  for (const b of [lp(r.branchKeyID), Buffer.from(r.version, 'hex'), lp(r.table), lp(r.column)]) h.update(b)
  return h.digest().subarray(0, 4)
}

function aad (context) {
  const pairs = Object.entries(context).map(([k, v]) => [Buffer.from(k, 'utf8'), k, v])
  if (pairs.length === 0) return Buffer.alloc(0)
  pairs.sort((a, b) => Buffer.compare(a[0], b[0]))
  return Buffer.concat([Buffer.from([pairs.length >> 8, pairs.length & 255]), ...pairs.flatMap(p => [lp(p[1]), lp(p[2])])])
}

function tag (r, text) {
  const a = aad(r.context)
  const bits = Buffer.alloc(8)
  bits.writeBigUInt64BE(BigInt(a.length) * 8n)
  return crypto.createHmac('sha256', subkey(r, 'mac')).update(a).update(text).update(bits).digest()
}

function seal (r, iv) {
  const c = crypto.createCipheriv('aes-256-ctr', subkey(r, 'enc'), iv)
  const text = Buffer.concat([iv, c.update(Buffer.from(r.plaintext, 'base64')), c.final()])
  return Buffer.concat([Buffer.from([1]), keyID(r), text, tag(r, text)])
}

function open (r) {
  const v = Buffer.from(r.value, 'base64')
  if (v.length < 53 || v[0] !== 1) throw new Error('not a compact value')
  if (!v.subarray(1, 5).equals(keyID(r))) throw new Error('unknown key')
  const text = v.subarray(5, v.length - 32)
  if (!crypto.timingSafeEqual(tag(r, text), v.subarray(v.length - 32))) throw new Error('unauthentic')
  const c = crypto.createDecipheriv('aes-256-ctr', subkey(r, 'enc'), text.subarray(0, 16))
  return Buffer.concat([c.update(text.subarray(16)), c.final()])
}

const answer = r => r.op === 'seal'
  ? { value: seal(r, crypto.randomBytes(16)).toString('base64') }
  : { plaintext: open(r).toString('base64') }

// vectors are the same in each run: their bytes come from a hash of their number.
function vectors () {
  const bytes = (i, what, n) => Buffer.from(crypto.hkdfSync('sha256', `vector ${i}`, '', what, n))
  const places = [['accounts', 'ssn'], ['public.accounts', 'phone'], ['', ''], ['Kunden', 'straße']]
  const contexts = [{}, { account_number: '1234567890' }, { tenant: 'acme', 'sealsql:table': 'accounts', 'sealsql:column': 'ssn' },
    { '\uff5e': 'below', '\u{1f511}': 'above U+FFFF', a: '' }]
  return [0, 1, 11, 15, 16, 17, 31, 32, 33, 127, 128, 129, 255, 256, 1000, 4096].map((n, i) => {
    const [table, column] = places[i % 4]
    const r = {
      branchKey: bytes(i, 'branch key', 32).toString('hex'),
      branchKeyID: ['customers', 'b0a56bf0-1c9d-4a1c-8bfa-0f6a3b6d1c4e'][i % 2],
      version: bytes(i, 'version', 16).toString('hex'),
      table,
      column,
      context: contexts[(i >> 2) % 4],
      plaintext: (n ? bytes(i, 'plaintext', n) : Buffer.alloc(0)).toString('base64')
    }
    const iv = i % 5 === 0 ? Buffer.alloc(16, 255) : bytes(i, 'iv', 16) // a counter that overflows
    return { ...r, value: seal(r, iv).toString('base64') }
  })
}

if (process.argv[2] === 'vectors') {
  process.stdout.write('[\n' + vectors().map(v => JSON.stringify(v)).join(',\n') + '\n]\n')
} else {
  readline.createInterface({ input: process.stdin }).on('line', line => {
    let out
    try {
      out = answer(JSON.parse(line))
    } catch (e) {
      out = { error: String(e.message || e) }
    }
    process.stdout.write(JSON.stringify(out) + '\n')
  })
}
