// The guest alone, under node's WASI and a host of a few lines: what fails here is no fault of krait's engine.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

process.emitWarning = () => {};
const { WASI } = await import('node:wasi');

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const FBIG = 22;
const NOTSUP = 58;

/** Python ended the instance by proc_exit. */
export class Exit extends Error {
  constructor(status) {
    super(`exit ${status}`);
    this.status = status;
  }
}

/** One instance of python-reactor.wasm. `runtime` is the folder that holds it and python313.zip. */
export class Reactor {
  static modules = new Map();

  constructor(runtime, { args = [], env = {}, preopens = {}, stdin = '', outputLimit = Infinity } = {}) {
    const file = path.join(runtime, 'python-reactor.wasm');
    if (!Reactor.modules.has(file)) Reactor.modules.set(file, new WebAssembly.Module(fs.readFileSync(file)));
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'krait-guest-'));
    this.streams = [0, 1, 2].map((fd) => path.join(this.folder, String(fd)));
    this.streams.forEach((name) => fs.writeFileSync(name, ''));
    fs.writeFileSync(this.streams[0], stdin);
    const [fd0, fd1, fd2] = this.streams.map((name) => fs.openSync(name, 'r+'));
    this.input = new Uint8Array();
    this.output = null;
    this.names = ['demo', 'function', ''];
    const wasi = new WASI({ version: 'preview1', args, env, preopens: { '/lib': runtime, ...preopens }, stdin: fd0, stdout: fd1,
                            stderr: fd2 });
    const preview1 = { ...wasi.wasiImport, proc_exit: (status) => { throw new Exit(status); } };
    const krait = {
      input_size: () => this.input.length,
      input_read: (ptr, len, offset) => {
        const part = this.input.subarray(offset, offset + len);
        this.memory().set(part, ptr);
        return part.length;
      },
      output_write: (ptr, len) => {
        if (len > outputLimit) return FBIG;
        this.output = this.memory().slice(ptr, ptr + len);
        return 0;
      },
      call_info: (kind, ptr, len) => {
        const name = encoder.encode(this.names[kind] ?? '');
        this.memory().set(name.subarray(0, len), ptr);
        return name.length;
      },
    };
    // No service stands behind this host.
    for (const { module, name } of WebAssembly.Module.imports(Reactor.modules.get(file)))
      if (module === 'krait') krait[name] ??= () => -NOTSUP;
    krait.raised = (...ranges) => {
      this.raised = [0, 2, 4].map((i) => decoder.decode(this.memory().slice(ranges[i], ranges[i] + ranges[i + 1])));
    };
    this.instance = new WebAssembly.Instance(Reactor.modules.get(file), { wasi_snapshot_preview1: preview1, krait });
    wasi.initialize(this.instance);
  }

  memory() { return new Uint8Array(this.instance.exports.memory.buffer); }

  /** Calls an export; every argument, a string or bytes, is passed as pointer and length. */
  call(name, ...values) {
    const { malloc, free } = this.instance.exports;
    const pointers = [];
    const flat = values.flatMap((value) => {
      const bytes = typeof value === 'string' ? encoder.encode(value) : value;
      const ptr = malloc(Math.max(1, bytes.length));
      this.memory().set(bytes, ptr);
      pointers.push(ptr);
      return [ptr, bytes.length];
    });
    const status = this.instance.exports[name](...flat);
    pointers.forEach((ptr) => free(ptr));
    return status;
  }

  init() { return this.call('krait_init'); }
  load(source, name = 'function', file = `/krait/${name}.py`) { return this.call('krait_load', name, source, file); }
  invoke(entry = '', input = '') {
    this.input = typeof input === 'string' ? encoder.encode(input) : input;
    this.output = null;
    return this.call('krait_call', entry);
  }
  run(argv, entry = '') { return this.call('krait_run', argv.map((word) => word + '\0').join(''), entry); }

  get exception() { return this.instance.exports.krait_exception() === 1; }
  get text() { return this.output === null ? null : decoder.decode(this.output); }

  /** What was written to fd 1 or 2 since the last look. */
  take(fd) {
    const text = fs.readFileSync(this.streams[fd], 'utf8');
    this.taken ??= {};
    const fresh = text.slice(this.taken[fd] ?? 0);
    this.taken[fd] = text.length;
    return fresh;
  }
  close() { fs.rmSync(this.folder, { recursive: true, force: true }); }
}
