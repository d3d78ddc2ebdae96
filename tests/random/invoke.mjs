// Runs a module by a plan in V8 and prints what is to be seen of it: the twin of invoke.cpp, which says the formats.
//   node invoke.mjs MODULE PLAN
import { readFileSync } from 'node:fs';

const view = new DataView(new ArrayBuffer(8));
const hex = (type, value) => {
  switch (type) {
    case 'i32': return (value >>> 0).toString(16);
    case 'i64': return BigInt.asUintN(64, value).toString(16);
    case 'f32': view.setFloat32(0, value); return view.getUint32(0).toString(16);
    case 'f64': view.setFloat64(0, value); return view.getBigUint64(0).toString(16);
  }
};
const text = (type, value) => type === undefined ? '-' : type + ':' + (Number.isNaN(value) ? 'nan' : '0x' + hex(type, value));

const parse = word => {
  const [type, bits] = word.split(':');
  switch (type) {
    case 'i32': return Number(bits) | 0;
    case 'i64': return BigInt.asIntN(64, BigInt(bits));
    case 'f32': view.setUint32(0, Number(bits)); return view.getFloat32(0);
    case 'f64': view.setBigUint64(0, BigInt(bits)); return view.getFloat64(0);
  }
};

// V8's messages, as the classes of invoke.cpp.
const classes = [
  [/^unreachable/, 'unreachable'],
  [/^memory access out of bounds|data segment/, 'out of bounds memory access'],
  [/^table index is out of bounds/, 'undefined element'],
  [/^null function or function signature/, 'signature mismatch'],
  [/by zero$/, 'integer divide by zero'],
  [/unrepresentable/, 'unrepresentable'],
  [/Maximum call stack/, 'call stack exhausted'],
  [/type incompatibility/, 'host function failed'],
];
const trap = error => 'trap: ' + (classes.find(([pattern]) => pattern.test(error.message)) ?? [, error.message])[1];

const hash = bytes => {
  let value = 0x811c9dc5 | 0;
  for (const byte of bytes) value = Math.imul(value ^ byte, 0x01000193);
  return (value >>> 0).toString(16).padStart(8, '0');
};

// The driver names a global's type, which JavaScript does not tell: global_<index>_<type>.
const globalText = (name, global) => text(name.split('_').pop(), global.value);

let output = '';
const print = line => { output += line + '\n'; };
const log = type => value => print('log ' + text(type, value));
const imports = { 'fuzzing-support': Object.fromEntries(
  ['i32', 'i64', 'f32', 'f64', 'v128'].map(type => ['log-' + type, log(type)])) };

const [, , modulePath, planPath] = process.argv;
const module = new WebAssembly.Module(readFileSync(modulePath));
try {
  const { exports } = new WebAssembly.Instance(module, imports);
  for (const line of readFileSync(planPath, 'utf8').split('\n').filter(Boolean)) {
    const [call, result] = line.split(' -> ');
    const [, name, ...args] = call.split(' ');
    try {
      print(name + ': ' + text(result, exports[name](...args.map(parse))));
    } catch (error) {
      print(name + ': ' + trap(error));
    }
  }
  for (const { name, kind } of WebAssembly.Module.exports(module)) {
    if (kind === 'memory') {
      const bytes = new Uint8Array(exports[name].buffer);
      print(`memory ${name} ${bytes.length} bytes, hash ${hash(bytes)}`);
    } else if (kind === 'global') {
      print(`global ${name} ` + globalText(name, exports[name]));
    }
  }
} catch (error) {
  if (!(error instanceof WebAssembly.RuntimeError)) throw error;
  print('instantiate: ' + trap(error));
}
process.stdout.write(output);
