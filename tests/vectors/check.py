#!/usr/bin/env python3
"""Recomputes tokens.json, records.json and device.json with Python's standard library alone, from their inputs.

Run with: python3 tests/vectors/check.py
Exits with 1 and names what differs. `--fill` writes what is missing; nothing that is there is changed:
a token that was issued once must open for ever, and a record that was written once must be read for ever, so a
change of format needs a new version and new vectors.
"""

import base64
import hashlib
import hmac
import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).parent
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
    flags = [
        who, up, up and up.get("until"), state["persistent"], state.get("label"), state.get("binding"),
        state.get("extra"),
    ]
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
    if state.get("extra"):
        out += encode_extra(state["extra"])
        if "own" in state["extra"]:
            out += prefixed(encode_entries(state["extra"]["own"]["entries"]))
    return out + encode_entries(state["entries"])


def encode_entries(entries):
    out = b""
    for entry in sorted(entries, key=lambda entry: entry["name"].encode()):
        until = entry.get("until")
        out += bytes([entry["carried"] | bool(entry.get("once") or until) << 1 | bool(until) << 2])
        out += varint(until) if until else b""
        out += prefixed(entry["name"].encode()) + prefixed(entry["value"].encode())
    return out


def tag_digest(audience, tag):
    return hashlib.sha256(prefixed(audience.encode()) + tag.encode()).digest()[:16]


def encode_methods(methods):
    content = b""
    for method in methods:
        times = [method.get("at_login"), method.get("since")]
        content += bytes([sum(1 << bit for bit, time in enumerate(times) if time)]) + prefixed(method["name"].encode())
        content += b"".join(varint(time) for time in times if time)
    return content


def encode_extra(extra):
    """Schema version 2: tagged blocks. The highest bit of a tag says that it must be understood."""
    blocks = []
    if "idle" in extra or "absolute" in extra:
        blocks.append((1, varint(extra.get("idle", 0)) + varint(extra.get("absolute", 0))))
    if "family" in extra:
        blocks.append((2, bytes.fromhex(extra["family"])))
    if extra.get("tags"):
        tags = (tag_digest(extra.get("tagged_in", ""), tag) for tag in extra["tags"])
        blocks.append((3, b"".join(sorted(tags))))
    if extra.get("audience"):
        blocks.append((4 | 0x80, extra["audience"].encode()))
    if "actor" in extra:
        blocks.append((5 | 0x80, extra["actor"].encode()))
    if "device" in extra:
        device = extra["device"]
        proved_after = device["last_proof_at"] - device["bound_at"]
        zigzag = 2 * proved_after if proved_after >= 0 else -2 * proved_after - 1
        content = b"\x01" + bytes.fromhex(device["key"]) + varint(device["sequence"])
        blocks.append((6 | 0x80, content + varint(device["bound_at"]) + varint(zigzag)))
    if "expected_device" in extra:
        blocks.append((7, bytes.fromhex(extra["expected_device"])))
    if "methods" in extra:
        blocks.append((8, encode_methods(extra["methods"])))
    if "acr" in extra:
        blocks.append((9, extra["acr"].encode()))
    if "own" in extra:
        own, up = extra["own"], extra["own"].get("elevation")
        flags = [up, up and up.get("until"), own["persistent"]]
        content = bytes([sum(1 << bit for bit, flag in enumerate(flags) if flag), own["level"]])
        content += varint(own["authenticated_at"]) + varint(own["absolute_expiry"])
        if up:
            content += bytes([up["level"]]) + (varint(up["until"]) if up.get("until") else b"")
        content += prefixed(encode_methods(own["methods"])) + prefixed(own.get("acr", "").encode())
        blocks.append((10 | 0x80, content))
    for block in extra.get("unknown", []):
        blocks.append((block["tag"], bytes.fromhex(block["content"])))
    blocks.sort(key=lambda block: block[0] & 0x7F)
    return varint(len(blocks)) + b"".join(bytes([tag]) + prefixed(content) for tag, content in blocks)


def key_result(case):
    return {"id": key_id(bytes.fromhex(case["key"])).hex()}


def derived_result(case):
    key = bytes.fromhex(case["key"])
    return {"derived": derived(key, case["version"], case["cookie"], case["audience"]).hex()}


def reference_result(case):
    body = bytes.fromhex(case["session_id"] + case["secret"])
    expiry = min(-(-case["absolute_expiry"] // 1000), 0xFFFF_FFFF)
    return {"token": seal(case, 1, body + expiry.to_bytes(4, "big"))}


def self_contained_result(case, version):
    state = encode_state(case["state"])
    issued_at = case["state"]["last_seen_at"].to_bytes(6, "big")
    body = bytes.fromhex(case["session_id"]) + issued_at + state
    return {"encoded_state": state.hex(), "token": seal(case, version, body)}


def record(case, schema):
    state, proof = case["state"], case["proof"]

    def digest(secret):
        return hashlib.sha256(bytes.fromhex(secret)).digest()

    def time(millis):
        return millis.to_bytes(8, "big")

    grace = proof.get("grace")
    out = bytes([schema]) + time(state["last_seen_at"]) + time(case["expires_at"])
    out += bytes.fromhex(case["lineage"]) + digest(proof["current"])
    out += bytes([bool(grace) | proof["renewed"] << 1 | proof.get("forgot", False) << 2])
    if grace:
        out += digest(grace["secret"]) + time(grace["until"])
    out += varint(len(proof["superseded"]))
    for secret in proof["superseded"]:
        out += digest(secret)
    return out + encode_state(state)


def record_result(case, schema):
    return {"encoded": record(case, schema).hex()}


def refused_result(case, records):
    """A record with some bytes in place of others."""
    (original,) = (record for record in records if record["name"] == case["record"])
    data = bytes.fromhex(original["encoded"])
    start, end = case["replace"]
    end = len(data) if end is None else end
    return {"bytes": (data[:start] + bytes.fromhex(case["with"]) + data[end:]).hex()}


def purpose_key(case, purpose):
    key = bytes.fromhex(case["key"])
    return mac(key, encode_parts(LABEL, purpose.encode(), case["cookie"].encode(), case["audience"].encode()))


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unbase64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def identifier_result(case):
    family = bytes.fromhex(case["family"])
    return {"identifier": base64url(family + mac(purpose_key(case, "device identifier"), family))}


def offer_result(case):
    body = bytes.fromhex(case["family"]) + (case["now"] // 1000).to_bytes(4, "big") + bytes.fromhex(case["nonce"])
    purpose = "repeated device offer" if case["repeated"] else "device offer"
    return {"challenge": base64url(body + mac(purpose_key(case, purpose), body))}


def thumbprint(key):
    """RFC 7638 of a point's two coordinates."""
    x, y = base64url(key[:32]), base64url(key[32:])
    return hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest()


def challenge_result(case):
    body = (case["now"] // 1000).to_bytes(4, "big") + case["sequence"].to_bytes(4, "big") + bytes.fromhex(case["nonce"])
    of = thumbprint(bytes.fromhex(case["device"]))
    message = bytes.fromhex(case["family"]) + of + body
    tag = mac(purpose_key(case, "device challenge"), message)
    return {"thumbprint": of.hex(), "challenge": base64url(body + tag)}


def successor_result(case):
    token = bytes.fromhex(case["token"])
    message = bytes.fromhex(case["family"]) + token + thumbprint(bytes.fromhex(case["device"]))
    return {"successor": (token[:8] + mac(purpose_key(case, "device successor"), message)[:8]).hex()}


def bound_cookie_result(case):
    body = b"\x01" + key_id(bytes.fromhex(case["key"])) + bytes.fromhex(case["family"])
    body += (case["proved_at"] // 1000).to_bytes(4, "big") + bytes.fromhex(case["nonce"])
    return {"value": base64url(body + mac(purpose_key(case, "bound cookie"), body))}


# The curve P-256 (FIPS 186-4, section D.1.2.3).
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)


def add(one, other):
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if one == other:
        slope = (3 * x1 * x1 - 3) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor, point):
    product = None
    while factor:
        if factor & 1:
            product = add(product, point)
        point, factor = add(point, point), factor >> 1
    return product


def es256_holds(key, message, signature):
    x, y = (int.from_bytes(part, "big") for part in (key[:32], key[32:]))
    r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
    if len(signature) != 64 or not (0 < r < N and 0 < s < N) or (y * y - x * x * x + 3 * x - B) % P:
        return False
    digest, inverse = int.from_bytes(hashlib.sha256(message).digest(), "big"), pow(s, -1, N)
    point = add(times(digest * inverse % N, G), times(r * inverse % N, (x, y)))
    return point is not None and point[0] % N == r


def proof_result(case):
    """An ECDSA signature has a random part, so it is verified and not made again."""
    message, _, signature = case["proof"].rpartition(".")
    header, payload = (unbase64url(part) for part in message.split("."))
    key = bytes.fromhex(case["device"])
    jwk = json.loads(header).get("jwk")
    return {
        "registers": jwk is not None,
        "brings_the_key": jwk is None or unbase64url(jwk["x"]) + unbase64url(jwk["y"]) == key,
        "challenge": json.loads(payload)["jti"],
        "holds": es256_holds(key, message.encode(), unbase64url(signature)),
    }


def check(name, groups):
    """What of the file differs from what its inputs come to."""
    file = FOLDER / name
    vectors = json.loads(file.read_text())
    differ = []
    for group, result in groups.items():
        for number, case in enumerate(vectors[group]):
            for field, value in result(case, vectors).items():
                if case.setdefault(field, value) != value:
                    differ.append(f"{name}: {group}[{number}].{field}")
    if "--fill" in sys.argv:
        file.write_text(json.dumps(vectors, indent=2, ensure_ascii=False) + "\n")
    return differ


def main():
    differ = check("tokens.json", {
        "keys": lambda case, _: key_result(case),
        "derived": lambda case, _: derived_result(case),
        "reference": lambda case, _: reference_result(case),
        "self_contained": lambda case, _: self_contained_result(case, 2),
        "self_contained_3": lambda case, _: self_contained_result(case, 3),
    })
    differ += check("records.json", {
        "records": lambda case, _: record_result(case, 1),
        "refused": lambda case, vectors: refused_result(case, vectors["records"]),
        "records_2": lambda case, _: record_result(case, 2),
        "refused_2": lambda case, vectors: refused_result(case, vectors["records_2"]),
    })
    differ += check("device.json", {
        "identifiers": lambda case, _: identifier_result(case),
        "offers": lambda case, _: offer_result(case),
        "challenges": lambda case, _: challenge_result(case),
        "successors": lambda case, _: successor_result(case),
        "bound_cookies": lambda case, _: bound_cookie_result(case),
        "proofs": lambda case, _: proof_result(case),
    })
    if differ:
        sys.exit("differs: " + ", ".join(differ))


main()
