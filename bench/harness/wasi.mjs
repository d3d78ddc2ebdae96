// Runs a WASI command in a JavaScript engine: wasi.mjs [--dir=HOST::GUEST]... MODULE [args].
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const preopens = {};
const args = process.argv.slice(2);
while (args[0]?.startsWith('--dir=')) {
  const [host, guest] = args.shift().slice('--dir='.length).split('::');
  preopens[guest ?? host] = host;
}
const wasi = new WASI({ version: 'preview1', args, env: { PYTHONDONTWRITEBYTECODE: '1' }, preopens, returnOnExit: true });
// Not all engines have all of preview1: what is missing answers ENOSYS.
const missing = { sock_accept: () => 52 };
const module = new WebAssembly.Module(readFileSync(args[0]));
const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: { ...missing, ...wasi.wasiImport } });
process.exitCode = wasi.start(instance);
