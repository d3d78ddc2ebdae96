"""Random modules of what binaryen's generator leaves out: exceptions, tail calls, further memories, narrow atomics and relaxed SIMD.

make(seed) is a .wat; finish() puts what wabt cannot write, try_table and throw_ref, into its binary. Every function has a depth in locals 0, which each call lowers, so all of them end; whatever is thrown is
caught in some function or ends the call. Values are folded into the result, so a wrong one shows.
"""
import random

TYPES = ("i32", "i64", "f64", "v128")
BINARY = {
    "i32": ["i32.add", "i32.xor", "i32.mul", "i32.shr_u", "i32.rotl"],
    "i64": ["i64.add", "i64.sub", "i64.mul", "i64.or", "i64.shr_s"],
    "f64": ["f64.add", "f64.sub", "f64.max"],
    "v128": ["i8x16.add_sat_s", "i16x8.mul", "i32x4.sub", "i64x2.mul", "v128.andnot", "i8x16.swizzle", "i16x8.q15mulr_sat_s",
             "i32x4.dot_i16x8_s", "i8x16.relaxed_swizzle", "i16x8.relaxed_q15mulr_s", "i16x8.dot_i8x16_i7x16_s",
             "i8x16.narrow_i16x8_u", "i64x2.extmul_high_i32x4_u", "i16x8.gt_u", "i64x2.le_s", "i16x8.extmul_low_i8x16_s"],
}
UNARY_VECTOR = ["i64x2.abs", "i8x16.popcnt", "i16x8.extadd_pairwise_i8x16_u", "i32x4.trunc_sat_f32x4_u", "v128.not",
                "i32x4.relaxed_trunc_f64x2_s_zero", "f32x4.convert_i32x4_u", "i64x2.extend_high_i32x4_s", "i8x16.neg"]
RMW = ["i32.atomic.rmw.add", "i32.atomic.rmw8.sub_u", "i32.atomic.rmw16.and_u", "i32.atomic.rmw.or", "i32.atomic.rmw8.xor_u",
       "i32.atomic.rmw16.xchg_u"]

# In the text a try_table is `i32.const PLACE | clauses; drop; block`, and a throw_ref is `i32.const THROW_REF; drop; drop`; an exnref is
# an externref. Those constants take five bytes each.
PLACE, THROW_REF = 0x5EE00000, 0x5EF00000
CATCH, CATCH_REF, CATCH_ALL, CATCH_ALL_REF = range(4)


class Module:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tags = [self.types(0, 3) for _ in range(3)]
        self.results = self.types(1, 4)  # of every function, so that tail calls have targets
        self.functions = [self.types(0, self.random.choice([2, 5, 12])) for _ in range(6)]

    def types(self, least, most):
        return [self.random.choice(TYPES) for _ in range(self.random.randint(least, most))]

    def constant(self, kind):
        number = self.random.choice([1, 7, 255, 65535, 123456789, 0x7FFFFFFF])
        return {"v128": f"(v128.const i32x4 {number} 3 {number} 65280)", "f64": f"(f64.const {number / 8})"}.get(
            kind, f"({kind}.const {number})")

    def value(self, kind, depth):
        pick, locals_ = self.random.random(), [i for i, k in enumerate(self.locals) if k == kind]
        if depth <= 0 or pick < 0.2:
            if locals_ and self.random.random() < 0.8:
                return f"(local.get {self.random.choice(locals_)})"
            return self.constant(kind)
        if pick < 0.35:
            return self.access(kind, depth)
        if pick < 0.45 and kind == "v128":
            return f"({self.random.choice(UNARY_VECTOR)} {self.value(kind, depth - 1)})"
        if pick < 0.5 and kind == "v128":
            return f"(i8x16.shl {self.value(kind, depth - 1)} {self.value('i32', depth - 1)})"
        if pick < 0.55 and kind == "i32":
            return f"(i8x16.bitmask {self.value('v128', depth - 1)})"
        operator = self.random.choice(BINARY[kind])
        return f"({operator} {self.value(kind, depth - 1)} {self.value(kind, depth - 1)})"

    def address(self, depth, mask):
        return f"(i32.and {self.value('i32', depth - 1)} (i32.const {mask:#x}))"

    def access(self, kind, depth):
        memory = self.random.randrange(3)
        if kind == "i32" and self.random.random() < 0.5:
            operator = self.random.choice(RMW)
            return f"({operator} {memory} offset=8 {self.address(depth, 0xff8)} {self.value('i32', depth - 1)})"
        return f"({kind}.load {memory} offset=16 {self.address(depth, 0xfff)})"

    def arguments(self, callee):
        lowered = "(i32.sub (local.get 0) (i32.const 1))"
        return " ".join([lowered, *(self.value(k, 1) for k in self.functions[callee])])

    def call(self, tail=False):
        callee = self.random.randrange(len(self.functions))
        prefix = "return_call" if tail else "call"
        if self.random.random() < 0.5:
            return f"({prefix} $f{callee} {self.arguments(callee)})"
        return f"({prefix}_indirect $t{self.random.randrange(2)} (type $f{callee}) {self.arguments(callee)} (i32.const {callee}))"

    def store_results(self):
        """Stores what a call leaves on the stack."""
        return " ".join(f"(local.set {self.scratch + i})" for i in reversed(range(len(self.results))))

    def statement(self, depth):
        pick = self.random.random()
        if pick < 0.35 or depth <= 0:
            target = self.random.randrange(1, len(self.locals))
            return f"(local.set {target} {self.value(self.locals[target], 3)})"
        if pick < 0.45:
            kind, memory = self.random.choice(TYPES), self.random.randrange(3)
            return f"({kind}.store {memory} offset=8 {self.address(1, 0xfff)} {self.value(kind, 2)})"
        if pick < 0.6:
            return f"{self.call()} {self.store_results()}"
        if pick < 0.66:
            tag = self.random.randrange(3)
            return (f"(if {self.value('i32', 2)} (then (throw $e{tag} "
                    + " ".join(self.value(k, 1) for k in self.tags[tag]) + ")))")
        if pick < 0.72:
            return f"(if {self.value('i32', 2)} (then {self.call(tail=True)}))"
        if pick < 0.8:
            return f"(loop $l (local.set {self.counter} (i32.add (local.get {self.counter}) (i32.const 1))) " \
                   f"{self.body(depth - 1, 2)} (br_if $l (i32.lt_u (local.get {self.counter}) (i32.const 5))))"
        return self.try_block(depth)

    def take(self, kinds):
        """Puts the values on the stack, of these types, into locals."""
        taken = ""
        for kind in reversed(kinds):
            same = [i for i, k in enumerate(self.locals) if k == kind and i > 0]
            taken += f"(local.set {self.random.choice(same)})" if same else "(drop)"
        return taken

    def try_table(self, depth):
        clauses = []
        for _ in range(self.random.randint(1, 2)):
            tag = self.random.randrange(3)
            kinds = [CATCH, CATCH_ALL, CATCH_ALL_REF] + ([] if self.tags[tag] else [CATCH_REF])
            clauses.append((self.random.choice(kinds), tag))
        mark = PLACE | len(clauses) - 1
        for i, (kind, tag) in enumerate(clauses):
            mark |= (kind << 2 | tag) << 4 * i + 1
        text = f"(i32.const {mark}) (drop) (block {self.body(depth - 1, 3)}) (br $out)"
        for kind, tag in clauses:  # the first one's label is the innermost
            reference = kind in (CATCH_REF, CATCH_ALL_REF)
            types = ["externref"] if reference else self.tags[tag] if kind == CATCH else []
            throw = f"(i32.const {THROW_REF}) (drop) (drop)" if self.random.random() < 0.4 else "(drop)"
            behind = f"{self.body(depth - 1, 1)} {throw}" if reference else f"{self.take(types)} {self.body(depth - 1, 1)}"
            text = f"(block {f'(result {chr(32).join(types)})' if types else ''} {text}) {behind} (br $out)"
        return f"(block $out {text})"

    def try_block(self, depth):
        if self.random.random() < 0.5:
            return self.try_table(depth)
        inside = self.body(depth - 1, 3)
        pick = self.random.random()
        if pick < 0.15:
            return f"(try (do {inside}) (catch_all {self.body(depth - 1, 1)} " \
                   f"(if {self.value('i32', 1)} (then (rethrow 1)))))"
        if pick < 0.3:
            return f"(try $d (do (try (do {inside}) (delegate $d))) (catch_all {self.body(depth - 1, 1)}))"
        clauses = ""
        for tag in self.random.sample(range(3), self.random.randint(1, 3)):
            clauses += f"(catch $e{tag} {self.take(self.tags[tag])} {self.body(depth - 1, 1)})"
        return f"(try (do {inside}) {clauses})"

    def body(self, depth, most):
        return "\n".join(self.statement(depth) for _ in range(self.random.randint(1, most)))

    def function(self, index):
        params = ["i32", *self.functions[index]]
        extra = [*TYPES, *self.types(0, 10)]
        self.scratch = len(params) + len(extra)
        self.counter = self.scratch + len(self.results)
        self.locals = [*params, *extra]  # scratch and counter are not for random use
        code = self.body(3, 4)
        found = " ".join(f"(local.get {self.random.choice([i for i, k in enumerate(self.locals) if k == kind])})"
                         for kind in self.results)
        first = " ".join(f"(local.set {len(params) + i} {self.constant(k)})" for i, k in enumerate(extra))
        return (f"(func $f{index} (type $f{index}) (local {' '.join([*extra, *self.results, 'i32'])})\n"
                f"{first}\n(if (i32.le_s (local.get 0) (i32.const 0)) (then (return {found})))\n{code}\n{found})")

    def entry(self, index):
        """What the runner calls: v128 does not leave, and an exception is a result."""
        arguments = " ".join(["(i32.const 6)", *(self.constant(k) for k in self.functions[index])])
        fold = ""
        for i, kind in reversed(list(enumerate(self.results))):
            fold += {"i32": "(i64.extend_i32_u)", "i64": "", "f64": "(i64.trunc_sat_f64_s)", "v128": "(i64x2.extract_lane 1)"}[kind]
            fold += "(local.set 0 (i64.add (i64.mul (local.get 0) (i64.const 31))))"
        return (f'(func (export "run{index}") (result i64) (local i64)\n'
                f"(try (do (call $f{index} {arguments}) {fold}) (catch_all (local.set 0 (i64.const -1)))) (local.get 0))")

    def text(self):
        results = " ".join(self.results)
        types = "\n".join(f"(type $f{i} (func (param i32 {' '.join(p)}) (result {results})))" for i, p in enumerate(self.functions))
        tags = "\n".join(f"(tag $e{i} (param {' '.join(p)}))" for i, p in enumerate(self.tags))
        names = " ".join(f"$f{i}" for i in range(len(self.functions)))
        tables = "\n".join(f"(table $t{i} {len(self.functions)} funcref) (elem (table $t{i}) (i32.const 0) func {names})" for i in range(2))
        code = "\n".join(f(i) for i in range(len(self.functions)) for f in (self.function, self.entry))
        data = "\n".join(f'(data (memory {i}) (i32.const 0) "{"".join(chr(self.random.randrange(97, 123)) for _ in range(4100))}")' for i in range(3))
        return f"(module {types}\n{tags}\n{tables}\n" \
               f'(memory (export "m0") 1) (memory (export "m1") 1) (memory (export "m2") 1 1 shared)\n{data}\n{code})\n'


def make(seed):
    return Module(seed).text()


def constant_at(binary, at):
    """The five bytes behind an i32.const, as a number."""
    return sum((byte & 0x7F) << 7 * i for i, byte in enumerate(binary[at + 1:at + 6]))


def finish(binary):
    """Writes try_table and throw_ref where make() left room; no size changes."""
    binary = bytearray(binary)
    nop, drop, block, try_table, throw_ref, i32_const, void, externref, exnref = 0x01, 0x1A, 0x02, 0x1F, 0x0A, 0x41, 0x40, 0x6F, 0x69
    for at in range(len(binary) - 8):
        if binary[at] != i32_const or binary[at + 6] != drop or binary[at + 5] != PLACE >> 28:
            continue
        mark = constant_at(binary, at)
        if mark == THROW_REF:
            binary[at:at + 8] = [*[nop] * 7, throw_ref]
        elif mark & ~0x1FF == PLACE:
            count = (mark & 1) + 1
            code = [try_table, void, count]
            for label in range(count):
                kind, tag = mark >> 4 * label + 3 & 3, mark >> 4 * label + 1 & 3
                code += [kind, tag, label] if kind in (CATCH, CATCH_REF) else [kind, label]
                type_at = at - 2 * label - 1  # of the block that the clause leads out of
                assert binary[type_at - 1] == block
                if kind in (CATCH_REF, CATCH_ALL_REF):
                    assert binary[type_at] == externref
                    binary[type_at] = exnref
            binary[at:at + 9] = [*[nop] * (9 - len(code)), *code]
    return bytes(binary)


if __name__ == "__main__":
    import sys
    print(make(int(sys.argv[1])))
