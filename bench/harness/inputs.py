"""Generated inputs: the same bytes on every machine and with every version of Python."""

import json


class Random:
    """A linear congruential generator, of which the upper bits are used."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % limit

    def word(self):
        return "".join(chr(97 + self.below(26)) for _ in range(2 + self.below(8)))


def text():
    """2 MB that compress like prose with some tables: few words are frequent, many are rare."""
    random = Random(1)
    words = [random.word() for _ in range(4096)]
    lines = []
    size = 0
    while size < 2_000_000:
        if random.below(12) == 0:
            line = "\t".join(str(random.below(1000000)) for _ in range(8))
        else:
            # A product of two uniform numbers favours the words at the front.
            picks = [random.below(4096) * random.below(4096) // 4096 for _ in range(12)]
            line = " ".join(words[pick] for pick in picks) + "."
        lines.append(line)
        size += len(line) + 1
    return "\n".join(lines).encode()[:2_000_000]


def records():
    """A JSON document of about 350 KB with every kind of value."""
    random = Random(2)
    values = []
    for number in range(1500):
        values.append(
            {
                "id": number,
                "name": random.word() + " " + random.word(),
                "escaped": "tab\t quote\" \\ line\n \u00e9\u4e2d",
                "price": random.below(1_000_000) / 4,
                "ratio": -random.below(1000) / 1024,
                "active": random.below(2) == 0,
                "parent": None if random.below(3) else random.below(number + 1),
                "tags": [random.word() for _ in range(random.below(6))],
                "place": {"x": random.below(2000) - 1000, "y": [[random.below(9)], []]},
            }
        )
    return json.dumps(values, indent=1).encode()


GENERATORS = {"text": text, "records.json": records}


def generate(name, directory):
    """Returns the path of the input; makes it when it is not there yet."""
    path = directory / name
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        part = path.with_name(name + ".part")
        part.write_bytes(GENERATORS[name]())
        part.rename(path)
    return path
