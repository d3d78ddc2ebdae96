"""Just enough of the binary format to call a random module and to see its globals."""
import struct

TYPES = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref"}
TYPE, IMPORT, FUNCTION, GLOBAL, EXPORT = 1, 2, 3, 6, 7


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def u32(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, size):
        self.at += size
        return self.data[self.at - size:self.at]

    def name(self):
        return self.take(self.u32()).decode()


def leb(value):
    out = bytearray()
    while True:
        out.append(value & 0x7F | (0x80 if value > 0x7F else 0))
        value >>= 7
        if not value:
            return bytes(out)


def sections(module):
    """[(id, contents)] in file order."""
    reader, found = Reader(module), []
    reader.take(8)
    while reader.at < len(module):
        number = reader.byte()
        found.append((number, reader.take(reader.u32())))
    return found


def assemble(found):
    return b"\0asm\1\0\0\0" + b"".join(bytes([n]) + leb(len(c)) + c for n, c in found)


def _types(contents):
    reader = Reader(contents)
    for _ in range(reader.u32()):
        reader.byte()
        yield [TYPES[b] for b in reader.take(reader.u32())], [TYPES[b] for b in reader.take(reader.u32())]


def _imported_functions(contents):
    reader = Reader(contents)
    for _ in range(reader.u32()):
        reader.name(), reader.name()
        if reader.byte() != 0:
            raise ValueError("only functions are imported by random modules")
        yield reader.u32()


def _skip_constant(reader):
    """Random modules initialize globals by one constant."""
    opcode = reader.byte()
    if opcode in (0x41, 0x42, 0xD0, 0xD2):
        reader.u32()
    elif opcode in (0x43, 0x44):
        reader.take(4 if opcode == 0x43 else 8)
    elif opcode == 0xFD:
        reader.u32()
        reader.take(16)
    else:
        raise ValueError(f"constant expression begins with {opcode:#x}")
    if reader.byte() != 0x0B:
        raise ValueError("constant expression of more than one instruction")


def _globals(contents):
    reader = Reader(contents)
    for _ in range(reader.u32()):
        yield TYPES[reader.byte()]
        reader.byte()
        _skip_constant(reader)


def exported_functions(module):
    """[(name, params, results)] in export order."""
    by_id = dict(sections(module))
    types = list(_types(by_id.get(TYPE, b"\0")))
    of_function = list(_imported_functions(by_id.get(IMPORT, b"\0")))
    reader = Reader(by_id.get(FUNCTION, b"\0"))
    of_function += [reader.u32() for _ in range(reader.u32())]
    reader, found = Reader(by_id.get(EXPORT, b"\0")), []
    for _ in range(reader.u32()):
        name, kind, index = reader.name(), reader.byte(), reader.u32()
        if kind == 0:
            found.append((name, *types[of_function[index]]))
    return found


def export_globals(module):
    """The module with every global that JavaScript can read exported as global_<index>_<type>."""
    found = sections(module)
    kinds = enumerate(_globals(dict(found).get(GLOBAL, b"\0")))
    names = [(i, f"global_{i}_{kind}".encode()) for i, kind in kinds if kind[0] in "if"]
    added = b"".join(leb(len(name)) + name + b"\3" + leb(i) for i, name in names)

    def extended(contents):
        reader = Reader(contents)
        return leb(reader.u32() + len(names)) + contents[reader.at:] + added

    return assemble([(n, extended(c) if n == EXPORT else c) for n, c in found])


def float_bits(value, size):
    return int.from_bytes(struct.pack("<f" if size == 4 else "<d", value), "little")
