// A worker and a client made of the npm package zmdp-suite, unchanged: zmdp_by_hand.py runs it from the folder that has it.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [mode, address, service, ...rest] = process.argv.slice(2);
const require = createRequire(`${process.cwd()}/`);
const { Client, Worker } = await import(pathToFileURL(require.resolve('zmdp-suite')));

if (mode === 'worker') {
  const worker = new Worker({ address, service, heartbeatInterval: Number(rest[0]) });
  worker.exposeFn('module', function echo(text) { return text; });
  await worker.start();
} else {
  // A request is [module, function, parameter], a reply [status, result]; a plain echo is so a status "0" with the function's
  // name when the module is called "0".
  const [module, fixed, count] = rest;
  const client = new Client({ address, timeout: 30_000 });
  let right = 0;
  for (let i = 0; i < Number(count); i += 1) {
    const name = fixed || `name-${i}`;
    const [result, failed] = await client.sendRcv(service, module, name, `text-${i}`);
    if (!failed && result.toString() === (fixed ? `text-${i}` : name)) right += 1;
  }
  console.log(`answered ${right}`);
  await client.close();
}
