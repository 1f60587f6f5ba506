/** The library within a VM's memory limit: what does not fit is an error in the script, and the VM goes on. */
import t from 'tap';
import { lab, RUN_ENTRY } from '../lab.js';

const CALLS: Readonly<Record<string, string>> = {
  'decode of a wide array': 'return #mix.json_decode("[" .. string.rep("0,", 900000) .. "0]")',
  'decode of many tables': 'return #mix.json_decode("[" .. string.rep("{},", 200000) .. "0]")',
  'decode of escaped strings': String.raw`return #mix.json_decode("[" .. string.rep('"\\u20ac12345678901234567890",', 150000) .. "0]")`,
  'encode of long strings': 'local s = string.rep("x", 2e6) return #mix.json_encode({s, s, s, s})',
  'split of a long text': 'return #mix.str_split(string.rep("abc,", 400000), ",")',
  'unpack of many values':
    'return #mix.php_unpack("Na/C*", string.rep("x", 262144)) + #mix.php_unpack("C*", string.rep("x", 3e6))',
  'pack of a long text': 'return #mix.php_pack("a16000000", "x")',
};

for (const [name, code] of Object.entries(CALLS)) {
  t.test(`a ${name} that does not fit fails, and the VM goes on`, async (t) => {
    const { run, host } = await lab(t, RUN_ENTRY, { memoryLimitMb: 8, cpuLimitMs: 60_000 });
    for (let i = 0; i < 3; i++) {
      t.match(run(code), /^error: .*(not enough memory|attempt to get length of a nil value)/);
      t.equal(run('return mix.json_encode(mix.json_decode("[1,{}]"))'), '[1,{}]');
    }
    t.same(host.errors, []);
  });
}
