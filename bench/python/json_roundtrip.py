"""Documents to JSON and back: dictionaries, lists, strings with escapes, floats."""
import json


def document(i):
    return {
        "id": i,
        "name": "item \u00e9\n%d" % i,
        "tags": ["a%d" % (i % 7), "b", "c\"quoted\""],
        "price": i * 1.25 + 0.1,
        "nested": {"flags": [True, False, None], "deep": {"list": list(range(i % 10))}},
    }


def bench(n):
    documents = [document(i) for i in range(200)]
    total = 0
    for _ in range(n):
        text = json.dumps(documents)
        total += len(text) + len(json.loads(text))
        text = json.dumps(documents, indent=1, sort_keys=True)
        total += len(text)
    return total
