"""Regular expressions over generated log lines: search, groups, substitution, alternation."""
import re

LINE = re.compile(r'^(\S+) - (\w+|-) \[(\d+)/(\w{3})/(\d{4}):(\d\d):(\d\d)\] "(GET|PUT|POST) (/[^ ]*) HTTP/1\.[01]" (\d{3}) (\d+)$')
WORD = re.compile(r"\b[aeiou]\w*(?:ing|ed|s)\b", re.IGNORECASE)
NUMBER = re.compile(r"(?<!\w)\d{2,}(?!\w)")


def lines():
    for i in range(200):
        yield '10.0.%d.%d - user%d [%02d/Nov/2026:%02d:%02d] "GET /page/%d/items?order=used HTTP/1.1" %d %d' % (
            i % 7, i % 251, i % 13, i % 28 + 1, i % 24, i % 60, i, 200 + i % 5, i * 37)


def bench(n):
    text = list(lines())
    prose = "Indeed, engines executing expected instructions are using 100 and 2048 elements; others asked. " * 20
    total = 0
    for _ in range(n):
        for line in text:
            match = LINE.match(line)
            total += int(match.group(11)) + len(match.group(9))
        total += len(WORD.findall(prose)) + len(NUMBER.sub("#", prose))
    return total
