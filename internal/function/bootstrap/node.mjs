// Runs Node handlers: speaks the Lambda Runtime API for them.
// Source: custom-auth sheet 16.1 to 16.3.
import http from 'node:http'
import fs from 'node:fs'
import path from 'node:path'
import util from 'node:util'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const { request, Agent } = http // what the handler does to the module later is its own affair
const env = process.env
const root = env.LAMBDA_TASK_ROOT
const api = new URL('http://' + env.AWS_LAMBDA_RUNTIME_API)
const base = api.pathname.replace(/\/$/, '') + '/2018-06-01/runtime/'
const agent = new Agent({ keepAlive: true, maxSockets: 1 })
const exit = process.exit.bind(process)
const later = setTimeout, soon = setImmediate

let current = null // the invocation under way

function call(method, where, headers, body) {
  return new Promise((resolve, reject) => {
    const r = request({ agent, host: api.hostname, port: api.port, method, path: base + where, headers }, res => {
      const parts = []
      res.on('data', d => parts.push(d))
      res.on('end', () => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(parts) }))
      res.on('error', reject)
    })
    r.on('error', reject)
    r.end(body)
  })
}

function post(where, text, type) {
  const body = Buffer.from(text, 'utf8')
  const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length }
  if (type) headers['Lambda-Runtime-Function-Error-Type'] = type
  return call('POST', where, headers, body)
}

function describe(err) {
  if (util.types.isNativeError(err) || (err && typeof err === 'object' && typeof err.message === 'string' && typeof err.name === 'string')) {
    return { errorType: String(err.name), errorMessage: String(err.message), trace: String(err.stack ?? '').split('\n') }
  }
  return { errorType: typeof err, errorMessage: String(err), trace: [] }
}

// One event of the log is a line, so a message's own line breaks travel as \r.
function patchConsole() {
  for (const [name, level] of [['log', 'INFO'], ['debug', 'DEBUG'], ['info', 'INFO'], ['warn', 'WARN'], ['error', 'ERROR'], ['trace', 'TRACE']]) {
    console[name] = (...args) => write(level, util.format(...args))
  }
}

function write(level, text) {
  const line = `${new Date().toISOString()}\t${current?.id ?? 'undefined'}\t${level}\t${text}`.replace(/\r?\n/g, '\r') + '\n'
  try { fs.writeSync(1, line) } catch { /* the handler closed it */ }
}

class RuntimeError extends Error {
  constructor(name, message) { super(message); this.name = name }
}

function moduleIsESM(file) {
  for (let dir = path.dirname(file); dir.startsWith(root); dir = path.dirname(dir)) {
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).type === 'module'
    } catch { /* none here */ }
    if (dir === path.dirname(dir)) break
  }
  return false
}

async function load() {
  const full = env._HANDLER
  if (full.includes('..')) throw new RuntimeError('Runtime.MalformedHandlerName', `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`)
  const match = /^([^.]*)\.(.*)$/.exec(path.basename(full))
  if (!match) throw new RuntimeError('Runtime.MalformedHandlerName', 'Bad handler')
  const [, name, nested] = match
  const stem = path.resolve(root, path.dirname(full), name)
  const isFile = f => fs.statSync(f, { throwIfNoEntry: false })?.isFile()
  const require = createRequire(path.join(root, 'index.js'))
  let mod
  try {
    if (isFile(stem)) mod = require(stem)
    else if (isFile(stem + '.js')) mod = moduleIsESM(stem + '.js') ? await import(pathToFileURL(stem + '.js')) : require(stem + '.js')
    else if (isFile(stem + '.mjs')) mod = await import(pathToFileURL(stem + '.mjs'))
    else if (isFile(stem + '.cjs')) mod = require(stem + '.cjs')
    else mod = require(require.resolve(path.join(path.dirname(full), name), { paths: [root] }))
  } catch (err) {
    if (err instanceof SyntaxError) throw Object.assign(new RuntimeError('Runtime.UserCodeSyntaxError', String(err)), { stack: err.stack })
    if (err?.code === 'MODULE_NOT_FOUND' || err?.code === 'ERR_MODULE_NOT_FOUND') throw new RuntimeError('Runtime.ImportModuleError', `Error: ${err.message}`)
    throw err
  }
  let found = mod
  for (const part of nested.split('.')) {
    found = found?.[part] ?? (found === mod ? mod?.default?.[part] : undefined)
  }
  if (found === undefined) throw new RuntimeError('Runtime.HandlerNotFound', `${full} is undefined or not exported`)
  if (typeof found !== 'function') throw new RuntimeError('Runtime.HandlerNotFound', `${full} is not a function`)
  return found
}

const grace = 100 // ms for open handles after a callback, which on Lambda would hold the answer until the deadline

// invoke runs the handler once; the first answer wins.
function invoke(handler, event, context) {
  return new Promise((resolve, reject) => {
    const settle = (err, value) => {
      const finish = () => { process.removeListener('beforeExit', finish); err === null || err === undefined ? resolve(value) : reject(err) }
      if (context.callbackWaitsForEmptyEventLoop === false) return soon(finish)
      process.once('beforeExit', finish)
      later(finish, grace).unref()
    }
    let answered = false
    const callback = (err, value) => {
      if (answered) return
      answered = true
      settle(err, value)
    }
    context.done = callback
    context.succeed = value => callback(null, value)
    context.fail = err => callback(err ?? 'handled')
    const unanswered = () => {
      if (answered) return
      answered = true
      resolve(null)
    }
    const result = handler(event, context, callback)
    if (result && typeof result.then === 'function') {
      answered = true
      result.then(resolve, reject)
      return
    }
    if (result !== undefined && !answered) write('WARN', 'gatehouse: the handler returned a value but is neither async nor did it call back; Lambda ignores the value')
    process.once('beforeExit', unanswered)
    current.cleanup = () => process.removeListener('beforeExit', unanswered)
  })
}

async function fatal(err, type) {
  const described = describe(err)
  described.errorType = type ?? described.errorType
  write('ERROR', (type === 'Runtime.UnhandledPromiseRejection' ? 'Unhandled Promise Rejection' : 'Uncaught Exception') + ' \t' + JSON.stringify(described))
  try {
    if (current) await post(`invocation/${current.id}/error`, JSON.stringify(described), described.errorType)
    else await post('init/error', JSON.stringify(described), described.errorType)
  } finally { exit(128 + 1) }
}

process.on('uncaughtException', err => fatal(err))
process.on('unhandledRejection', err => {
  const wrapped = new RuntimeError('Runtime.UnhandledPromiseRejection', err instanceof Error ? `${err.name}: ${err.message}` : String(err))
  fatal(wrapped, wrapped.name)
})

patchConsole()
let handler
try {
  handler = await load()
} catch (err) {
  const described = describe(err)
  write('ERROR', 'Uncaught Exception \t' + JSON.stringify(described))
  await post('init/error', JSON.stringify(described), described.errorType)
  exit(1)
}

for (;;) {
  const next = await call('GET', 'invocation/next', {})
  if (next.status !== 200) exit(1)
  const h = next.headers
  const id = h['lambda-runtime-aws-request-id']
  const deadline = Number(h['lambda-runtime-deadline-ms'])
  if (h['lambda-runtime-trace-id']) env._X_AMZN_TRACE_ID = h['lambda-runtime-trace-id']
  current = { id }
  const context = {
    callbackWaitsForEmptyEventLoop: true,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    invokedFunctionArn: h['lambda-runtime-invoked-function-arn'],
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: id,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: h['lambda-runtime-client-context'] ? JSON.parse(h['lambda-runtime-client-context']) : undefined,
    identity: undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  }
  let where = 'response', text, type
  try {
    const value = await invoke(handler, JSON.parse(next.body.toString('utf8')), context)
    text = JSON.stringify(value === undefined ? null : value)
    if (text === undefined) text = 'null'
  } catch (err) {
    const described = describe(err)
    write('ERROR', 'Invoke Error \t' + JSON.stringify(described))
    where = 'error'; text = JSON.stringify(described); type = described.errorType.replace(/[^ -~]/g, '')
  }
  current.cleanup?.()
  await post(`invocation/${id}/${where}`, text, type)
  current = null
}
