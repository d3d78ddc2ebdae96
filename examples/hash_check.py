"""Digests of known texts."""
import hashlib

KNOWN = {
    "md5": "9e107d9d372bb6826bd81d3542a419d6",
    "sha1": "2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
    "sha256": "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592",
    "sha3_256": "69070dda01975c8c120c3aada1b282394e7f032fa9cf32f4cb2259a0897dfc04",
}


def faasm_main():
    text = b"The quick brown fox jumps over the lazy dog"
    for name, digest in KNOWN.items():
        found = hashlib.new(name, text).hexdigest()
        assert found == digest, f"{name}: {found}"
