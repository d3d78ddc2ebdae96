// The same costs in V8: v8_costs.mjs ROUNDS calls MODULE | decode MODULE. A line of JSON for each, as bench/report.hpp prints them.
import fs from 'node:fs';

const [rounds, what, file] = process.argv.slice(2);
const bytes = fs.readFileSync(file);

function report(name, unit, samples) {
  samples.sort((a, b) => a - b);
  const at = (share) => samples[Math.max(0, Math.ceil(share * samples.length) - 1)];
  const half = samples.length >> 1;
  const median = samples.length % 2 ? samples[half] : (samples[half - 1] + samples[half]) / 2;
  console.log(JSON.stringify({name: `V8: ${name}`, unit, median, min: samples[0], max: samples.at(-1), p99: at(0.99), samples: samples.length}));
  return median;
}

/** Nanoseconds for each of `count`, less those of what is around them. */
function measure(name, unit, count, run, around = 0) {
  const samples = [];
  for (let i = -1; i < Number(rounds); ++i) {
    const begin = process.hrtime.bigint();
    run();
    if (i >= 0) samples.push(Number(process.hrtime.bigint() - begin) / count - around);  // the first warms up
  }
  return report(name, unit, samples);
}

if (what === 'calls') {
  const Calls = 1_000_000;
  const {a, h, g, e} = new WebAssembly.Instance(new WebAssembly.Module(bytes), {h: {add: (x, y) => (x + y) | 0}}).exports;
  const turn = measure('a turn of the loop', 'ns', Calls, () => e(Calls));
  measure('guest to guest call', 'ns', Calls, () => g(Calls), turn);
  measure('guest to host call', 'ns', Calls, () => h(Calls), turn);
  measure('host to guest call', 'ns', Calls, () => {
    for (let i = 0; i < Calls; ++i) if (a(1, 2) !== 3) throw new Error('a');
  });
} else {
  measure('decode and validate', 'ms', 1e6, () => {
    if (!WebAssembly.validate(bytes)) throw new Error('it does not validate');
  });
}
