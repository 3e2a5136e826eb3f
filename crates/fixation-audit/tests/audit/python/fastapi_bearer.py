"""Bearer tokens that never end: the algorithm is read from the token, nothing expires, a logout does nothing."""

import base64
import hashlib
import hmac
import json
import secrets

from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel

from common import password_is_right, serve_asgi

KEY = secrets.token_bytes(32)
app = FastAPI()
bearer = OAuth2PasswordBearer(tokenUrl="token", auto_error=False)


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


def encode(part):
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def mac(text):
    return encode(hmac.new(KEY, text.encode(), hashlib.sha256).digest())


def issue(claims):
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + "." + encode(json.dumps(claims).encode())
    return text + "." + mac(text)


def verified(token):
    try:
        text, _, signature = (token or "").rpartition(".")
        header, claims = (json.loads(decode(part)) for part in text.split("."))
    except ValueError:
        return None
    if header.get("alg") == "none":
        return claims
    return claims if hmac.compare_digest(signature, mac(text)) else None


def current(token: str | None = Depends(bearer)):
    return verified(token)


@app.post("/token", operation_id="issueToken", response_model=Token)
async def token(form: OAuth2PasswordRequestForm = Depends()):
    if not password_is_right(form.username, form.password):
        raise HTTPException(401)
    return Token(access_token=issue({"sub": form.username, "nonce": secrets.token_hex(4)}))


@app.get("/users/me", operation_id="readMe")
async def me(claims: dict | None = Depends(current)):
    if not claims:
        raise HTTPException(401)
    return {"subject": claims["sub"]}


@app.post("/logout", operation_id="endSession")
async def logout(claims: dict | None = Depends(current)):
    return "bye"


if __name__ == "__main__":
    serve_asgi(app)
