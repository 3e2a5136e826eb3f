#!/usr/bin/env python3
"""Recomputes tokens.json with Python's standard library alone, from its inputs.

Run with: python3 tests/vectors/check.py
Exits with 1 and names what differs. `--fill` writes what is missing; nothing that is there is changed:
a token that was issued once must open for ever, so a change of format needs a new version and new vectors.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("tokens.json")
LABEL = b"tower-session-guard"


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def encode_parts(*parts):
    """Each part with its length before it, as 8 big-endian bytes."""
    return b"".join(len(part).to_bytes(8, "big") + part for part in parts)


def key_id(key):
    return mac(key, encode_parts(LABEL, b"key id"))[:3]


def derived(key, version, name, audience):
    return mac(key, encode_parts(LABEL, bytes([version]), name.encode(), audience.encode()))


def seal(case, version, body):
    key = bytes.fromhex(case["key"])
    signed = bytes([version]) + key_id(key) + body
    tag = mac(derived(key, version, case["cookie"], case["audience"]), signed)
    return base64.urlsafe_b64encode(signed + tag).rstrip(b"=").decode()


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def prefixed(data):
    return varint(len(data)) + data


def encode_state(state):
    seen = state["last_seen_at"]

    def offset(time):
        """Zigzag: the distance from `seen`, whose sign is the lowest bit."""
        distance = time - seen
        return varint(2 * distance if distance >= 0 else -2 * distance - 1)

    who, up = state.get("authentication"), state.get("elevation")
    flags = [who, up, up and up.get("until"), state["persistent"], state.get("label"), state.get("binding")]
    out = bytes([sum(1 << bit for bit, flag in enumerate(flags) if flag)])
    for time in ("absolute_expiry", "created_at", "rotated_at"):
        out += offset(state[time])
    if who:
        out += bytes([who["level"]]) + offset(who["authenticated_at"]) + prefixed(who["subject"].encode())
    if up:
        out += bytes([up["level"]])
        if up.get("until"):
            out += offset(up["until"])
    if state.get("label"):
        out += prefixed(state["label"].encode())
    if state.get("binding"):
        out += prefixed(bytes.fromhex(state["binding"]))
    for entry in sorted(state["entries"], key=lambda entry: entry["name"].encode()):
        out += bytes([int(entry["carried"])])
        out += prefixed(entry["name"].encode()) + prefixed(entry["value"].encode())
    return out


def key_result(case):
    return {"id": key_id(bytes.fromhex(case["key"])).hex()}


def derived_result(case):
    key = bytes.fromhex(case["key"])
    return {"derived": derived(key, case["version"], case["cookie"], case["audience"]).hex()}


def reference_result(case):
    body = bytes.fromhex(case["session_id"] + case["secret"])
    expiry = min(-(-case["absolute_expiry"] // 1000), 0xFFFF_FFFF)
    return {"token": seal(case, 1, body + expiry.to_bytes(4, "big"))}


def self_contained_result(case):
    state = encode_state(case["state"])
    issued_at = case["state"]["last_seen_at"].to_bytes(6, "big")
    body = bytes.fromhex(case["session_id"]) + issued_at + state
    return {"encoded_state": state.hex(), "token": seal(case, 2, body)}


def main():
    vectors = json.loads(FILE.read_text())
    differ = []
    for group, result in (
        ("keys", key_result),
        ("derived", derived_result),
        ("reference", reference_result),
        ("self_contained", self_contained_result),
    ):
        for number, case in enumerate(vectors[group]):
            for field, value in result(case).items():
                if case.setdefault(field, value) != value:
                    differ.append(f"{group}[{number}].{field}")
    if "--fill" in sys.argv:
        FILE.write_text(json.dumps(vectors, indent=2, ensure_ascii=False) + "\n")
    if differ:
        sys.exit("differs: " + ", ".join(differ))


main()
