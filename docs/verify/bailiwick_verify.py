#!/usr/bin/env python3
"""Verifies an export or a receipt of a Bailiwick audit log.

    python3 bailiwick_verify.py FILE [--public-key FILE]

Prints what the file holds and exits with 0 if it verifies; names the first thing that does not hold and
exits with 1 otherwise. It needs Python 3.9 or later and nothing else, and was written from the description
in docs/reference/audit-format.md, whose section numbers the comments give.
"""

import argparse
import base64
import decimal
import hashlib
import json
import re
import sys

MAX_LINE, MAX_NOTE, MAX_RECEIPT = 16 << 20, 64 << 10, 64 << 20
MAX_DEPTH, MAX_SAFE, MAX_REPLICAS = 64, 2**53 - 1, 65536
NAME = re.compile(r"[a-z0-9_]{1,64}")
LOG_ID = re.compile(r"[!#-*,-\[\]-~]{1,255}")
HEX_HASH = re.compile(r"[0-9a-f]{64}")

class Bad(Exception):
    """Something that does not hold."""

def need(condition, message):
    if not condition:
        raise Bad(message)

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()

# --- Section 1: canonical JSON (RFC 8785) ---
def number(value):
    """A number as ECMAScript writes the double."""
    value = float(value)
    need(value - value == 0, "a number beyond the range of a double")
    if value == 0:
        return "0"
    sign, digits, exponent = decimal.Decimal(repr(value)).as_tuple()
    text = "".join(map(str, digits))
    exponent += len(text) - len(text.rstrip("0"))
    text = text.rstrip("0")
    k, n = len(text), len(text) + exponent
    if k <= n <= 21:
        text += "0" * (n - k)
    elif 0 < n <= 21:
        text = text[:n] + "." + text[n:]
    elif -6 < n <= 0:
        text = "0." + "0" * -n + text
    else:
        text = text[0] + ("." + text[1:] if k > 1 else "") + "e%+d" % (n - 1)
    return "-" * sign + text

def canonical(value, depth=0):
    if isinstance(value, (dict, list)):
        need(depth < MAX_DEPTH, "nested too deeply")
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(key) + ":" + canonical(value[key], depth + 1) for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(canonical(item, depth + 1) for item in value) + "]"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)

def parse(data, what):
    """The JSON value whose canonical form is exactly `data`."""
    try:
        text = data.decode("utf-8")
        value = json.loads(text)
        same = canonical(value) == text
    except (ValueError, RecursionError, OverflowError) as error:
        raise Bad(f"{what}: {error}") from None
    except Bad as error:
        raise Bad(f"{what}: {error}") from None
    need(same, f"{what} is not in canonical form")
    return value

def fields(value, what, types, optional=()):
    """Checks that an object has exactly the given fields, of the given types."""
    need(type(value) is dict, f"{what} is no object")
    need(set(types) - set(optional) <= set(value) <= set(types), f"{what} does not have exactly its fields")
    for name, item in value.items():
        need(type(item) is types[name], f"{what}: {name} has the wrong type")
        if types[name] is int:
            need(abs(item) <= MAX_SAFE and (item >= 0 or name in ("created", "time")), f"{what}: {name} is out of range")

def hash_of(text, what):
    need(type(text) is str and HEX_HASH.fullmatch(text), f"{what} is not a hash of 64 lower-case hex digits")
    return bytes.fromhex(text)

def base64_of(text, what):
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise Bad(f"{what} is not base64") from None
    need(base64.b64encode(data).decode() == text, f"{what} is not base64 in its one proper form")
    return data

# --- Section 2: Ed25519 (RFC 8032) ---
P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(a, b):
    """Adds points in extended coordinates (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z."""
    m, n = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    o, q = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = n - m, q - o, q + o, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def multiply(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point, scalar = add(point, point), scalar >> 1
    return total

def encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")

def decode(data):
    """The point that 32 bytes encode; None for none, for a second spelling of one, and for small orders."""
    y, sign = int.from_bytes(data, "little") & (1 << 255) - 1, data[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    point = (x, y, 1, x * y % P)
    return None if encode(multiply(8, point)) == encode((0, 1, 1, 0)) else point

BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed(key, message, signature):
    point, s = decode(key), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or point is None or s >= L or decode(signature[:32]) is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    x, y, z, t = point
    return encode(add(multiply(s, BASE), multiply(k, (P - x, y, z, P - t)))) == signature[:32]

# --- Section 3: public keys and checkpoints (C2SP signed-note, tlog-checkpoint) ---
class Key:
    def __init__(self, text):
        self.text, parts = text, text.split("+", 2)
        need(len(parts) == 3 and LOG_ID.fullmatch(parts[0]), "a public key is <log id>+<8 hex digits>+<base64>")
        self.log, data = parts[0], base64_of(parts[2], "the public key")
        need(len(data) == 33 and data[0] == 1, "the public key is not an Ed25519 key")
        self.bytes = data[1:]
        self.id = sha256(self.log.encode(), b"\n", data)[:4]
        need(self.id.hex() == parts[1], "the key id does not match the public key")
        need(decode(self.bytes), "the public key is not a usable Ed25519 key")

def read_checkpoint(note, key):
    """The size and root of a checkpoint that `key` signed."""
    need(len(note.encode()) <= MAX_NOTE, "the checkpoint is too long")
    text, gap, signatures = note.rpartition("\n\n")
    text += "\n"
    need(gap and signatures.endswith("\n"), "the checkpoint is not a signed note")
    need(not text.startswith("\n") and "\n\n" not in text, "the checkpoint has an empty line")
    need(all(char >= " " or char == "\n" for char in note), "the checkpoint has a control character")
    lines, found = signatures[:-1].split("\n"), False
    need(len(lines) <= 100, "the checkpoint has too many signatures")
    for line in lines:
        parts = line.split(" ", 2)
        need(len(parts) == 3 and parts[0] == "\u2014", "a signature line of the checkpoint is malformed")
        name, data = parts[1], base64_of(parts[2], "a signature of the checkpoint")
        need(name and not any(char.isspace() or char == "+" for char in name), "a signature has a malformed name")
        need(len(data) >= 5, "a signature of the checkpoint is too short")
        if name == key.log and data[:4] == key.id:
            need(signed(key.bytes, text.encode(), data[4:]), "the signature over the checkpoint does not hold")
            found = True
    need(found, "the checkpoint is not signed by the log's key")
    lines = text.split("\n")
    need(len(lines) >= 4 and lines[0] == key.log, "the checkpoint is not of this log")
    need(re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]) and int(lines[1]) <= MAX_SAFE, "the checkpoint has no size")
    root = base64_of(lines[2], "the root")
    need(len(root) == 32, "the root is not 32 bytes")
    return int(lines[1]), root

# --- Section 4: the Merkle tree (RFC 6962, RFC 9162) ---
def leaf_hash(leaf):
    return sha256(b"\0", leaf)

def node(left, right):
    return sha256(b"\1", left, right)

def root_of(frontier):
    if not frontier:
        return sha256()
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node(left, root)
    return root

def climb(fn, sn, proof, hashes):
    """The walk that both proofs share: `hashes` are folded with the proof as RFC 9162 says."""
    for sibling in proof:
        need(sn, "a proof is too long")
        if fn & 1 or fn == sn:
            hashes = [node(sibling, value) for value in hashes]
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hashes = hashes[:-1] + [node(hashes[-1], sibling)]
        fn, sn = fn >> 1, sn >> 1
    need(not sn, "a proof is too short")
    return hashes

def check_consistency(old, old_root, size, root, proof):
    need(old <= size, "the checkpoint is older than the range")
    if old in (0, size):
        need(not proof, "a proof is too long")
        return need(old_root == (root if old else sha256()), "the leaves do not lead to the signed root")
    if old & (old - 1):
        need(proof, "a proof is too short")
        first, proof = proof[0], proof[1:]
    else:
        first = old_root
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    need(climb(fn, sn, proof, [first, first]) == [old_root, root], "the leaves do not lead to the signed root")

# --- Section 5: records ---
def check_record(leaf, sections, log, where):
    """Checks a record's header and its disclosed sections; returns the header."""
    header = parse(leaf.encode(), f"{where}: the record")
    types = dict(commitments=dict, digests=dict, ids=dict, kind=str, log=str, replica=str)
    fields(header, where, dict(types, replica_sequence=int, scope=str, time=int, v=int), ["scope"])
    need(header["v"] == 1, f"{where}: unknown record version")
    need(header["log"] == log, f"{where}: the record belongs to another log")
    for name in [header["kind"], *header["commitments"], *header["digests"], *header["ids"]]:
        need(NAME.fullmatch(name), f"{where}: malformed name")
    for value in [*header["digests"].values(), *header["ids"].values()]:
        need(type(value) is str, f"{where}: an id or digest is no string")
    commitments = {name: hash_of(value, where) for name, value in header["commitments"].items()}
    for name, section in sections.items():
        fields(section, f"{where}: section {name}", dict(bytes=str, salt=str))
        need(name in commitments, f"{where}: section {name} is not part of the record")
        found = sha256(b"bailiwick section v1\0", hash_of(section["salt"], where), section["bytes"].encode())
        need(found == commitments[name], f"{where}: section {name} does not match its commitment")
        parse(section["bytes"].encode(), f"{where}: section {name}")
    return header

def check_key(text, log, expected):
    key = Key(text)
    need(log is None or key.log == log, "the key is not of this log")
    need(expected is None or expected.text == text, "the file names another key than the expected one")
    return key

# --- Section 6: exports ---
def verify_export(file, expected):
    digest, number_of_line = hashlib.sha256(), 0

    def next_line(what, covered=True):
        nonlocal number_of_line
        number_of_line += 1
        line = file.readline(MAX_LINE + 1)
        need(line.endswith(b"\n"), f"line {number_of_line}: the file is cut, or the line too long")
        if covered:
            digest.update(line)
        return parse(line[:-1], f"line {number_of_line}: {what}")

    head = next_line("the header")
    types = dict(created=int, filter=str, key=str, log=str, prefix=list, to=int, type=str, v=int)
    fields(head, "the header", {"from": int, **types})
    need(head["type"] == "bailiwick-audit-export" and head["v"] == 1, "not an export of version 1")
    first, end = head["from"], head["to"]
    need(first <= end, "the range is none")
    frontier = [hash_of(text, "the prefix") for text in head["prefix"]]
    need(len(frontier) == bin(first).count("1"), "the prefix does not fit the start of the range")
    key = check_key(head["key"], head["log"], expected)
    counts, withheld, replicas = dict(records=0, sections=0, stubs=0), 0, {}
    for index in range(first, end):
        where = f"line {number_of_line + 1}, leaf {index}"
        line = next_line("a leaf")
        full = type(line) is dict and ("leaf" in line or "sections" in line)
        types = dict(hash=str, index=int)
        fields(line, where, dict(types, leaf=str, sections=dict) if full else types)
        need(line["index"] == index, f"{where}: found leaf {line['index']}: a line was removed, added or moved")
        value = hash_of(line["hash"], where)
        if full:
            need(leaf_hash(line["leaf"].encode()) == value, f"{where}: the record does not have its hash")
            header = check_record(line["leaf"], line["sections"], key.log, where)
            counts["records"] += 1
            counts["sections"] += len(line["sections"])
            withheld += len(header["commitments"]) - len(line["sections"])
            replica, sequence = header["replica"], header["replica_sequence"]
            due = replicas[replica] + 1 if replica in replicas else None if first else 0
            gap = due is not None and (sequence < due or (sequence > due and not counts["stubs"]))
            need(not gap, f"{where}: replica {replica!r} has a gap or a repetition in its numbering")
            replicas[replica] = sequence
            need(len(replicas) <= MAX_REPLICAS, f"{where}: more replicas than a log can have")
        else:
            counts["stubs"] += 1
        rest = index
        while rest & 1:
            value, rest = node(frontier.pop(), value), rest >> 1
        frontier.append(value)
    trailer = next_line("the trailer")
    fields(trailer, "the trailer", dict(checkpoint=str, consistency=list, records=int, sections=int, stubs=int))
    need(all(trailer[name] == count for name, count in counts.items()), "the counts do not fit the lines")
    size, root = read_checkpoint(trailer["checkpoint"], key)
    proof = [hash_of(text, "the consistency proof") for text in trailer["consistency"]]
    check_consistency(end, root_of(frontier), size, root, proof)
    last = next_line("the signature", covered=False)
    fields(last, "the signature", dict(signature=str))
    message = b"bailiwick export v1\0" + digest.digest()
    need(signed(key.bytes, message, base64_of(last["signature"], "the signature")), "the signature does not hold")
    need(not file.read(1), "something follows the signature")
    print(f"leaves {first} to {end}: {counts['records']} records, {counts['stubs']} stubs")
    print(f"sections: {counts['sections']} disclosed, {withheld} withheld")
    if counts["stubs"]:
        print("note: stubs hide numbers, so gaps in a replica's numbering cannot be ruled out")
    return key, size, root

# --- Section 7: receipts ---
def verify_receipt(file, expected):
    data = file.read(MAX_RECEIPT + 1)
    need(len(data) <= MAX_RECEIPT, "the receipt is too long")
    receipt = parse(data[:-1] if data.endswith(b"\n") else data, "the receipt")
    fields(receipt, "the receipt", dict(checkpoint=str, key=str, records=list, type=str, v=int))
    need(receipt["type"] == "bailiwick-audit-receipt" and receipt["v"] == 1, "not a receipt of version 1")
    key = check_key(receipt["key"], None, expected)
    size, root = read_checkpoint(receipt["checkpoint"], key)
    need(receipt["records"], "the receipt holds no record")
    last = -1
    for record in receipt["records"]:
        fields(record, "a record", dict(index=int, leaf=str, proof=list, sections=dict))
        index, where = record["index"], f"leaf {record['index']}"
        need(last < index < size, f"{where}: out of order, or beyond the checkpoint")
        proof = [hash_of(text, where) for text in record["proof"]]
        found = climb(index, size - 1, proof, [leaf_hash(record["leaf"].encode())])
        need(found == [root], f"{where}: the proof does not lead to the signed root")
        check_record(record["leaf"], record["sections"], key.log, where)
        last = index
    print(f"{len(receipt['records'])} records")
    return key, size, root

def main():
    arguments = argparse.ArgumentParser(description="Verifies an export or a receipt of an audit log.")
    arguments.add_argument("file")
    arguments.add_argument("--public-key", metavar="FILE", help="the log's public key, got from elsewhere")
    options = arguments.parse_args()
    try:
        expected = None
        if options.public_key:
            with open(options.public_key, encoding="ascii") as file:
                expected = Key(file.read().strip(" \t\r\n\f"))
        with open(options.file, "rb") as file:
            receipt = file.read(14) == b'{"checkpoint":'
            file.seek(0)
            key, size, root = (verify_receipt if receipt else verify_export)(file, expected)
    except (Bad, OSError, UnicodeError) as error:
        print(f"NOT VERIFIED: {error}")
        return 1
    print(f"checkpoint: {size} leaves, root {root.hex()}\nkey: {key.text}")
    if expected is None:
        print(f"note: this is the key in the file; compare its fingerprint {sha256(key.bytes).hex()}")
    print("VERIFIED")
    return 0

if __name__ == "__main__":
    sys.exit(main())
