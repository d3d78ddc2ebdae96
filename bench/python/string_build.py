"""Strings: formatting, joining, splitting, replacing, encoding, slicing."""


def bench(n):
    total = 0
    for i in range(n):
        words = ["word%d" % ((i * 31 + k * 17) % 1000) for k in range(100)]
        text = ", ".join(words)
        upper = text.upper().replace("WORD", "w\u00f6rd-")
        parts = upper.split(", ")
        table = {w: len(w) for w in parts}
        total += sum(table.values())
        total += len("".join(reversed(text))) + len(upper.encode()) + text.count("9")
        total += len(f"{i:08d}|{text[:40]:>60}|{i / 7:.4f}".strip())
        for p in parts[:20]:
            if p.startswith("w\u00f6rd-9") or p.endswith("1"):
                total += p.find("-") + int(p.partition("-")[2])
    return total
