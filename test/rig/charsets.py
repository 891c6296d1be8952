"""Prints, as JSON, the character sets of Python that no MySQL server has: {set: {code: character}}, in decimal."""

import json

single = {f"iso8859-{n}": f"iso8859_{n}" for n in (*range(1, 12), 13, 14, 15, 16)}
single |= {f"windows-{n}": f"cp{n}" for n in (874, *range(1250, 1259))}
single |= {
    f"ibm{n}": f"cp{n}"
    for n in (437, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869)
}
single |= {"koi8-r": "koi8_r", "koi8-u": "koi8_u"}
multi = {"johab": "johab", "cp950": "cp950", "gb18030": "gb18030"}


def codes(codec, numbers, size):
    found = {}
    for number in numbers:
        try:
            text = number.to_bytes(size, "big").decode(codec)
        except UnicodeDecodeError:
            continue
        if len(text) == 1:
            found[number] = ord(text)
    return found


tables = {name: codes(codec, range(0x100), 1) for name, codec in (single | multi).items()}
for name, codec in multi.items():
    tables[name] |= codes(codec, range(0x8000, 0x10000), 2)
print(json.dumps(tables))
