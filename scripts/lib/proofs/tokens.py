"""Shows that a receiver which wants a token gets one for what a key signs (`jwt-bearer`).

A token endpoint checks each assertion as RFC 7523 asks: its signature by the public key that it
holds, who says it to whom, that it is of now, and that it was not used before. The receiver takes
nothing without a token of that endpoint.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
import time
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from proofs.check import Proofs, wait_for
from proofs.receivers import alerts, configuration, firebell, post
from proofs.world import Served, answer

if TYPE_CHECKING:
    from pathlib import Path

TELLS_SECONDS = 30.0
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
# By the hash of each algorithm, what stands before it in a signature (RFC 8017, 9.2).
HASHES = {
    "RS256": ("sha256", "3031300d060960864801650304020105000420"),
    "RS384": ("sha384", "3041300d060960864801650304020205000430"),
    "RS512": ("sha512", "3051300d060960864801650304020305000440"),
}
# Signs with the same key; the endpoint holds another one for it.
STRANGER = "stranger"
HOOK = """      - url: 'http://ADDRESS/told/NAME'
        http_config:
          oauth2:
            grant_type: GRANT
            client_id: bell
            client_certificate_key_file: key.pem
            client_certificate_key_id: NAME
            signature_algorithm: ALGORITHM
            audience: http://tokens.example
            claims: {team: ops}
            scopes: [tell, page]
            token_url: 'http://ADDRESS/token'
"""
# Made for this proof, and used nowhere else.
KEY = """\
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAryQ0UuE+QKd8OibcpYZaFtwW/ddHAsbdi3opYsBWqrKk1YQC
sEZGH5E48+KW8IqvAhY7Nq1l+MoUE7T7nnkTwYdncNJqNYch49y86Z5PshnVuWSm
+GrSdijJW/SSLWsf4lTje5dcz29JuepVUDVWEX3jcgBoUOsqzyZSajVs5XjShr48
rTb6tq4+6+1XZQHujEt1/4ONejKVea5vupbE1sw8GVCCbVw2nJJR/+iy3fPyaGxX
pC3wh4TORZo6FBO17BZncIMMIlUyQ27KZ2WYuWPTBFaSeO+5akE0HXUlANQUXzZM
C/5+p5oqDZhAj8bRwCayS7HinFaO1SiYWz915wIDAQABAoIBAA1dXOTKLV7vqOoj
FwlGhE9kQhjiuZd7p2JCUzAm7zYdZbipVy8uXaGBCnCJ5Oy8GHi3S5Nzjel7Oib6
04yXPquw8nLIi7RD+JETwhKtsvUrRYTdKmSgeijsGdl7g0AWAZva0HUY6ssleeHH
APWa7FNvYNDNOSibmWuvR/C03PdxrYDuyYuizZrDrGvmiZWOL9wmIymByAt+xVNy
cmvL0qXwyVxPV15juOCrUwaVuMWdCiPGs3LLtqYLiTzyXof58MHvOGtkB/W0uJhp
6n/J+UmoYtVcK60dyzxtC9VKtEk6RGbdUZmpjTcLTm89HI8TEPD/DPDYnMARxRkU
0xwpFeECgYEA2017nCVQN/g50CJ/3K+bsttO1uD7Iajx7afKmdDAaxTMeJ0VBcDW
I2+uVu8ejS4mByH4FHjua5in+wUiWN+XU+VkRR9q0wWmtXKrdcCvY8fGfXD6OxD4
mzDDqZX3TcJXcX2cmM/OEQ68CZJuWVTpxmCuWKO1UPV+eB5Jes4/DbcCgYEAzHLv
rNiPAlgChqm+SHyXJjnEF5ZExW++2PNuT4chho+bKQpz6iGkKSq68TDL0XZhDRHj
8mrRSPN10SDaZUHFZKSrJ3SmADPV8H9YWTjir9Fu1C5P2WnV06E80vIKiCjOJjo5
Y25mB7LyoSTuoseachuKret6Qq6mRcPtzA602VECgYEAwWjRdoG2ANar7jMu/yvl
LlWab4pWEXaVf1q3JPblbMsYFdu7uao7cV9Cq6sSD8M+iJXd2/hXlY85vvnlM+pl
5PjveMLfjKJ0R5yNOTmptV9wYBtupP8vsnbMaVk4lVyrkA0POfozq/mJvwtkxOZN
ksabnNMsyuzoD/nuJh+VnnsCgYBI5hKfxvf3FfqQmaXHouUiNCa/Yk1TOO0L3oDO
ypghqsLgd2GtciFerGXL6mJCZbtlNaPZpEzLfkPcNaKpyDHiGPUONIGcQN9fyYhv
B+GMX1jtPzYph5s+wpc1gChRNHuNFeWwloS66gupecm9MP7ZAQkJypTlgfC3n40C
3ZuOgQKBgAyJpo98hoYVSm3MY+XF5HDIPT7IAAVzkNBb5e7XfnOOX5G1h+pOXEWw
z+Naj7w92uZeTzsQ5IBluzdQOOp96azlnsdO/lfKVZYvxgn3THEY4QNteUscFKMq
qyiXuhoZH29suiy9yRNi7jobJT/kaCcy4OqkFoXABrTqIg3Pc9tn
-----END RSA PRIVATE KEY-----
"""


def main() -> int:
    """Show it."""
    proofs = Proofs()
    with proofs.scene("tokens for what a key signs") as folder, Bank() as bank:
        play(proofs, folder, bank)
    return proofs.finish()


def play(proofs: Proofs, folder: Path, bank: Bank) -> None:
    """Have an alert told by each algorithm, twice, and by one who is not known."""
    hooks = [*((name, name) for name in HASHES), (STRANGER, "RS256")]
    texts = [
        HOOK.replace("NAME", name).replace("ALGORITHM", algorithm) for name, algorithm in hooks
    ]
    section = "    webhook_configs:\n" + "".join(texts)
    section = section.replace("GRANT", GRANT).replace("ADDRESS", bank.address)
    (folder / "key.pem").write_text(KEY)
    with firebell(folder, configuration({"all": section}, "1s")) as server:
        server.wait_ready()
        names = set(HASHES)
        for instance in ("a", "b"):
            bank.told.clear()
            post(server.port, alerts("Down", instance))
            wait_for("all are told", TELLS_SECONDS, lambda: bank.told >= names)
        proofs.equal("each algorithm is told, twice", bank.told, names)
        proofs.check("each time with a token of its own", len(bank.used) == 2 * len(names))
        wait_for("the stranger asked", TELLS_SECONDS, lambda: bank.refused)
        wrong = [why for name, why in bank.refused if name != STRANGER]
        proofs.equal("every assertion of who is known is good", wrong, [])
        whys = {why for name, why in bank.refused if name == STRANGER}
        proofs.equal("who signs with another key gets none", whys, {"signature"})
        proofs.equal("and nothing comes without a token", bank.n_without, 0)
        text = server.text()
        proofs.check("what failed is said", "no token: unexpected status code 401" in text, text)
        secret = KEY.splitlines()[1]
        shown = [part for part in (secret, "assertion=", "eyJ") if part in text]
        proofs.equal("nothing shows the key or what it signed, though the answer does", shown, [])


class Bank(Served):
    """Gives tokens for assertions that are good, and takes messages that come with one."""

    def __init__(self) -> None:
        """Begin to listen."""
        self.told: set[str] = set()
        self.used: set[str] = set()
        self.refused: list[tuple[str, str]] = []
        self.n_without = 0
        self._given: dict[str, str] = {}
        self._ids: set[str] = set()
        self._lock = Lock()
        bank = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with bank._lock:
                    if self.path == "/token":
                        status, said = bank.exchange(body)
                    else:
                        status, said = bank.take(self.path, self.headers.get("Authorization", ""))
                answer(self, status, json.dumps(said).encode(), "application/json")

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def exchange(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """Give a token for an assertion, or say what is wrong with it."""
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if sorted(form) != ["assertion", "grant_type"] or form["grant_type"] != GRANT:
            return 400, {"error": "invalid_request"}
        head, claims, signature = form["assertion"].split(".")
        header, said = (json.loads(decoded(part)) for part in (head, claims))
        name = header.get("kid", "")
        why = self.wrong(header, said)
        if not is_signed(f"{head}.{claims}", decoded(signature), header["alg"], of_stranger(name)):
            why = "signature"
        if why:
            self.refused.append((name, why))
            return 401, {"error": "invalid_grant", "error_description": form["assertion"]}
        self._ids.add(said["jti"])
        token = f"token-{len(self._given)}"
        self._given[token] = name
        return 200, {"access_token": token, "token_type": "bearer", "expires_in": 60}

    def wrong(self, header: dict[str, Any], said: dict[str, Any]) -> str:
        """Return what of an assertion is not as it has to be."""
        wanted = {"iss": "bell", "sub": "bell", "aud": "http://tokens.example", "team": "ops"}
        wanted["scope"] = "tell page"
        now = time.time()
        if header.get("typ") != "JWT":
            return "type"
        if {name: said.get(name) for name in wanted} != wanted:
            return f"claims: {said}"
        if not (now - 60 < said["iat"] <= now + 1 and now < said["exp"] <= now + 3600):
            return "times"
        return "used before" if said["jti"] in self._ids else ""

    def take(self, path: str, authorization: str) -> tuple[int, dict[str, Any]]:
        """Take a message that comes with the token of its sender."""
        scheme, _, token = authorization.partition(" ")
        name = path.rsplit("/", 1)[1]
        if scheme != "Bearer" or self._given.get(token) != name:
            self.n_without += 1
            return 401, {}
        self.used.add(token)
        self.told.add(name)
        return 200, {}


def decoded(text: str) -> bytes:
    """Read base64 as it stands in addresses, without its padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def of_stranger(name: str) -> int:
    """Return what the modulus that is held for somebody differs by."""
    return 2 if name == STRANGER else 0


def is_signed(text: str, signature: bytes, algorithm: str, other: int) -> bool:
    """Check a signature by PKCS #1 v1.5 against the public half of the key."""
    modulus, exponent = public_key()
    modulus += other
    name, prefix = HASHES[algorithm]
    end = b"\0" + bytes.fromhex(prefix) + hashlib.new(name, text.encode()).digest()
    size = (modulus.bit_length() + 7) // 8
    wanted = b"\0\1" + b"\xff" * (size - 2 - len(end)) + end
    found = pow(int.from_bytes(signature, "big"), exponent, modulus)
    return len(signature) == size and found.to_bytes(size, "big") == wanted


def public_key() -> tuple[int, int]:
    """Return modulus and exponent: in the key they stand behind its version, 0."""
    der = base64.b64decode("".join(KEY.splitlines()[1:-1]))
    numbers: list[int] = []
    at = 4
    while len(numbers) < 3:
        size, at = der[at + 1], at + 2
        if size & 0x80:
            n_bytes = size & 0x7F
            size, at = int.from_bytes(der[at : at + n_bytes], "big"), at + n_bytes
        numbers.append(int.from_bytes(der[at : at + size], "big"))
        at += size
    return numbers[1], numbers[2]


if __name__ == "__main__":
    sys.exit(main())
