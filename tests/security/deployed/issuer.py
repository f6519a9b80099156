"""A token issuer on this machine: OpenID Connect discovery, a public key, and tokens of any kind."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

KEY_ID = "current"
DISCOVERY, KEYS = "/.well-known/openid-configuration", "/keys"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(frozen=True, kw_only=True)
class Issuer:
    """The issuer at `url`. Its tokens are signed with `key`, which is published as `KEY_ID`."""

    url: str
    key: rsa.RSAPrivateKey = field(default_factory=new_key, repr=False)

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def documents(self) -> dict[str, Any]:
        numbers = self.key.public_key().public_numbers()
        jwk = {
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": KEY_ID,
            "n": base64url(_big_endian(numbers.n)),
            "e": base64url(_big_endian(numbers.e)),
        }
        return {
            DISCOVERY: {"issuer": self.url, "jwks_uri": f"{self.url}{KEYS}"},
            KEYS: {"keys": [jwk]},
        }

    def sign(self, text: bytes, key: rsa.RSAPrivateKey | None = None) -> bytes:
        return (key or self.key).sign(text, padding.PKCS1v15(), hashes.SHA256())


def encode(
    claims: Mapping[str, Any], sign: Callable[[bytes], bytes], *, kid: str = KEY_ID, alg: str = "RS256"
) -> str:
    """Make a token (RFC 7515, compact form)."""
    header = {"typ": "JWT", "alg": alg, "kid": kid}
    signed = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return f"{signed}.{base64url(sign(signed.encode()))}"


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


@contextlib.contextmanager
def running_issuer() -> Iterator[Issuer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = documents.get(self.path)
            content = json.dumps(found).encode()
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(url=f"http://127.0.0.1:{server.server_port}")
        documents = issuer.documents()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()
