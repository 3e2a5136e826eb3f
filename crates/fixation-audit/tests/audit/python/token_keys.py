"""JSON Web Tokens and their keys: token_keys.py MODE

correct    RS256, a published key, exp in two seconds and honoured
weak       HS256 under a secret from a tutorial
header     the key comes from the token's jwk or jku
confused   the algorithm comes from the token, the key is the published one
undying    exp is there, and nobody looks at it
"""

import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
import urllib.request

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from fastapi import FastAPI, Form, Header, HTTPException

from common import password_is_right, serve_asgi

MODE = sys.argv[1]
SECRET = b"your-256-bit-secret" if MODE == "weak" else secrets.token_bytes(32)
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = PRIVATE.public_key()
PEM = PUBLIC.public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
LIFETIME = 4 if MODE in ("correct", "undying") else 3600
BY_RSA = MODE in ("correct", "confused", "undying")
app = FastAPI()
ended = set()


def encode(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def mac(text, key):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def issue(user):
    now = time.time()
    claims = {"sub": user, "iat": now, "exp": now + LIFETIME, "jti": secrets.token_hex(8)}
    header = {"alg": "RS256" if BY_RSA else "HS256", "kid": "main"}
    text = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    if BY_RSA:
        signature = PRIVATE.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    else:
        signature = mac(text, SECRET)
    return f"{text}.{encode(signature)}"


def key_of(header):
    """The fault of `header`: whoever made the token says which key is right."""
    if "jwk" in header:
        return decode(header["jwk"]["k"])
    if "jku" in header:
        with urllib.request.urlopen(header["jku"]) as answer:
            return decode(json.load(answer)["keys"][0]["k"])
    return SECRET


def is_signed(header, text, signature):
    if MODE == "confused" and header["alg"] == "HS256":
        return hmac.compare_digest(signature, mac(text, PEM))
    if not BY_RSA:
        key = key_of(header) if MODE == "header" else SECRET
        return header["alg"] == "HS256" and hmac.compare_digest(signature, mac(text, key))
    try:
        PUBLIC.verify(signature, text.encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return header["alg"] == "RS256"


def verified(authorization):
    token = (authorization or "").removeprefix("Bearer ")
    try:
        text, _, signature = token.rpartition(".")
        header, claims = (json.loads(decode(part)) for part in text.split("."))
        good = is_signed(header, text, decode(signature))
    except (ValueError, KeyError):
        return None
    if not good or claims["jti"] in ended or (claims["exp"] < time.time() and MODE != "undying"):
        return None
    return claims


@app.get("/.well-known/jwks.json")
def keys():
    if not BY_RSA:
        return {"keys": []}
    numbers = PUBLIC.public_numbers()
    n, e = (encode(x.to_bytes((x.bit_length() + 7) // 8, "big")) for x in (numbers.n, numbers.e))
    return {"keys": [{"kty": "RSA", "kid": "main", "alg": "RS256", "use": "sig", "n": n, "e": e}]}


@app.post("/token")
def token(username: str = Form(), password: str = Form()):
    if not password_is_right(username, password):
        raise HTTPException(401)
    return {"access_token": issue(username), "token_type": "bearer"}


@app.get("/me")
def me(authorization: str | None = Header(None)):
    claims = verified(authorization)
    if not claims:
        raise HTTPException(401)
    return {"subject": claims["sub"]}


@app.post("/logout")
def logout(authorization: str | None = Header(None)):
    claims = verified(authorization)
    if not claims:
        raise HTTPException(401)
    ended.add(claims["jti"])
    return "bye"


if __name__ == "__main__":
    serve_asgi(app)
