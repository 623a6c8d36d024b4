#!/usr/bin/env python3
"""Writes vectors.json: equality terms made without sealsql's code.

Only Python's standard library is used: hmac, hashlib, unicodedata. Run it in this folder.
"""

import hashlib
import hmac
import json
import struct
import unicodedata


def lp(text):
    raw = text.encode()
    return struct.pack(">H", len(raw)) + raw


def hkdf_sha512(secret, info, length):
    pseudorandom = hmac.new(b"\0" * 64, secret, hashlib.sha512).digest()
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.new(pseudorandom, block + info + bytes([counter]), hashlib.sha512).digest()
        out, counter = out + block, counter + 1
    return out[:length]


def normalised(text, names):
    for name in names:
        if name == "nfkc":
            text = unicodedata.normalize("NFKC", text)
        elif name == "casefold":
            text = text.casefold()
            if "nfkc" in names[: names.index("casefold")]:
                text = unicodedata.normalize("NFKC", text)
        elif name == "trim":
            text = text.strip()
        elif name == "digits":
            text = "".join(c for c in text if c in "0123456789")
        elif name.startswith("first "):
            text = text[: int(name[6:])]
        elif name.startswith("last "):
            text = text[-int(name[5:]):]
    return text


def term(beacon, scope, names, bits, per, text):
    key = hkdf_sha512(beacon, b"sealsql/eq/v1" + lp(scope) + lp(",".join(names)), 32)
    raw = hmac.new(key, lp(per) + normalised(text, names).encode(), hashlib.sha256).digest()
    number = int.from_bytes(raw, "big") >> (256 - bits) << (256 - bits)
    return number.to_bytes(32, "big")[: (bits + 7) // 8]


FOLD = ["nfkc", "casefold", "trim"]
CASES = [
    # group, table, column, normalisers, bits, per, text
    ("", "accounts", "ssn", [], 256, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 256, "", ""),
    ("", "accounts", "ssn", [], 256, "", " "),
    ("", "accounts", "ssn", [], 128, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 64, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 63, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 17, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 16, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 9, "", "900-12-3456"),
    ("", "accounts", "ssn", [], 8, "", "900-12-3456"),
    ("", "accounts", "ssn", ["digits"], 256, "", "900-12-3456"),
    ("", "accounts", "ssn", ["digits"], 256, "", "900123456"),
    ("", "accounts", "ssn", ["digits"], 256, "", "no digits"),
    ("", "accounts", "ssn", ["digits", "last 4"], 16, "", "900-12-3456"),
    ("", "accounts", "ssn", ["digits", "last 4"], 16, "", "456"),
    ("", "accounts", "ssn", ["first 3"], 256, "", "900-12-3456"),
    ("", "accounts", "ssn", ["first 1000"], 256, "", "900-12-3456"),
    ("", "public.accounts", "ssn", [], 256, "", "900-12-3456"),
    ("", "account", "sssn", [], 256, "", "900-12-3456"),
    ("", "users", "email", FOLD, 256, "", "Ada@Example.com"),
    ("", "users", "email", FOLD, 256, "", "  ada@example.com\t"),
    ("", "users", "email", ["casefold"], 256, "", "ADA@EXAMPLE.COM"),
    ("", "users", "email", ["trim"], 256, "", "\u00a0 ada@example.com \u2003\n"),
    ("", "users", "email", FOLD, 256, "tenant-1", "ada@example.com"),
    ("", "users", "email", FOLD, 256, "tenant-2", "ada@example.com"),
    ("", "users", "email", FOLD, 256, "te", "nant-1ada@example.com"),
    ("person-email", "users", "email", FOLD, 256, "", "ada@example.com"),
    ("person-email", "invitations", "address", FOLD, 256, "", "ada@example.com"),
    ("other", "users", "email", FOLD, 256, "", "ada@example.com"),
    ("", "people", "name", ["casefold"], 256, "", "Straße"),
    ("", "people", "name", ["casefold"], 256, "", "STRASSE"),
    ("", "people", "name", ["casefold"], 256, "", "İstanbul"),
    ("", "people", "name", ["casefold"], 256, "", "ΣΊΣΥΦΟΣ"),
    ("", "people", "name", ["nfkc"], 256, "", "e\u0301\ufb01"),
    ("", "people", "name", ["nfkc"], 256, "", "éfi"),
    ("", "people", "name", FOLD, 256, "", "\u212a\uff21\uff22"),
    ("", "people", "name", ["first 2"], 256, "", "日本語"),
    ("", "people", "name", ["last 2"], 256, "", "日本😀"),
    ("", "Чеки", "Цена", [], 256, "Ключ", "сто"),
    ("", "t" * 64, "c" * 64, ["nfkc", "casefold", "trim", "first 10", "last 5"], 200, "p" * 300, "x" * 5000),
]


def main():
    out = []
    for i, (group, table, column, names, bits, per, text) in enumerate(CASES):
        beacon = hashlib.sha256(b"beacon %d" % (i % 3)).digest()
        scope = group or table + "\0" + column
        out.append({
            "beacon": beacon.hex(), "group": group, "table": table, "column": column, "normalise": names,
            "bits": bits, "per": per, "text": text, "term": term(beacon, scope, names, bits, per, text).hex(),
        })
    with open("vectors.json", "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=True, indent=1)
        f.write("\n")


main()
