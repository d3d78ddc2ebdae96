// A Worker a call, python.wasm compiled once: workers.mjs MODULE STDLIB CALLS. Prints the seconds of each as a JSON list.
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
import { Worker, isMainThread, workerData } from 'node:worker_threads';

function call(module, stdlib) {
  return new Promise((resolve, reject) => {
    const begin = process.hrtime.bigint();
    const worker = new Worker(new URL(import.meta.url), { workerData: { module, stdlib } });
    worker.on('error', reject);
    worker.on('exit', () => resolve(Number(process.hrtime.bigint() - begin) / 1e9));
  });
}

if (isMainThread) {
  const [file, stdlib, calls] = process.argv.slice(2);
  const module = new WebAssembly.Module(readFileSync(file));
  const seconds = [];
  for (let i = 0; i < Number(calls); ++i) seconds.push(await call(module, stdlib));
  console.log(JSON.stringify(seconds));
} else {
  const wasi = new WASI({ version: 'preview1', args: ['python', '-c', 'pass'], preopens: { '/lib': workerData.stdlib }, returnOnExit: true });
  const status = wasi.start(new WebAssembly.Instance(workerData.module, { wasi_snapshot_preview1: wasi.wasiImport }));
  if (status !== 0) throw new Error(`python ended with ${status}`);
}
