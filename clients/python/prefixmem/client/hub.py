"""Models of the Hugging Face Hub in a spec: hf://ORG/NAME@REVISION, which workers fetch themselves.

The endpoint and the token are those of `HF_ENDPOINT` and `HF_TOKEN`, as huggingface_hub reads them.
"""

from __future__ import annotations

import http.client
import json
import os
import pathlib
import re
import urllib.error
import urllib.request

from prefixmem.client.errors import (
    DataLoss,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    ServiceError,
    Unavailable,
)

SCHEME = "hf://"
WORD = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}"
NAME = re.compile(rf"hf://(?P<repository>{WORD}/{WORD})(@(?P<revision>{WORD}))?")
COMMIT = re.compile(r"[0-9a-f]{40}")
MOST_BYTES_OF_AN_ANSWER = 64 << 20
MOST_BYTES_OF_A_CONFIG = 1 << 20  # that the coordinator takes
PATIENCE = 60  # seconds without a byte


def pinned(name: str) -> str:
    """The same name with the commit that its revision (main unless given) is now."""
    parts = NAME.fullmatch(name)
    if parts is None:
        raise InvalidArgument(
            f'model: "{name}" names no model of the Hub; allowed: hf://ORG/NAME or '
            "hf://ORG/NAME@REVISION, a branch, tag or commit"
        )
    revision = parts["revision"] or "main"
    if COMMIT.fullmatch(revision):
        return name
    answer = _get(name, f"/api/models/{parts['repository']}/revision/{revision}")
    try:
        commit = json.loads(answer)["sha"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataLoss(f"model: {name}: the Hub's answer is not what it documents") from error
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
        raise DataLoss(f"model: {name}: the Hub's answer has a commit that is none")
    return f"{SCHEME}{parts['repository']}@{commit}"


def config_of(pinned_name: str) -> str | None:
    """The config.json of a pinned name; None where there is none that can be read and told.

    Jobs of that model are placed without a prediction of their memory.
    """
    repository, _, commit = pinned_name.removeprefix(SCHEME).partition("@")
    path = f"/{repository}/resolve/{commit}/config.json"
    try:
        return _get(pinned_name, path, MOST_BYTES_OF_A_CONFIG).decode()
    except (ServiceError, UnicodeDecodeError):
        return None


def _token() -> str:
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    file = pathlib.Path(os.environ.get("HF_TOKEN_PATH") or os.path.join(home, "token"))
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""  # nobody has logged in


def _get(name: str, path: str, most: int = MOST_BYTES_OF_AN_ANSWER) -> bytes:
    endpoint = (os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
    try:
        request = urllib.request.Request(endpoint + path, headers={"User-Agent": "prefixmem"})
        if token := _token():
            # No other host that the Hub leads to is shown it.
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            answer = response.read(most + 1)
    except urllib.error.HTTPError as error:
        raise _refusal(error.code, f"model: {name}: {endpoint}") from error
    except ValueError:  # whose words may hold the token
        raise InvalidArgument(
            f"model: {name}: HF_ENDPOINT is no URL, or HF_TOKEN has a character that no token has"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"model: {name}: {endpoint} cannot be reached: {error}") from error
    if len(answer) > most:
        raise ResourceExhausted(f"model: {name}: {endpoint}{path} holds more than {most} bytes")
    return answer


def _refusal(status: int, who: str) -> ServiceError:
    if status in (401, 403):
        return FailedPrecondition(
            f"{who} does not show it; allowed: in HF_TOKEN, a token of an account that may read it"
        )
    if status == 404:
        return NotFound(f"{who} has no such model or revision")
    return Unavailable(f"{who} answers {status}")
