"""Where alerts go, and with which secrets: read from the environment when something is to be told, and kept nowhere."""

import os
import re
from typing import Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from minemap_assets.errors import BadInputError
from minemap_assets.messages import explain

_SECRET_NAMES = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|PASSWD|WEBHOOK|CREDENTIAL")
_SHORTEST = 6
"""A shorter value would blot out ordinary words."""

_ACCOUNT = re.compile(r"(?<=://)[^/\s@]+@")
_QUERY = re.compile(r"(?<=[\w/])\?[\w%.~-]+=\S*")


class AlertEnvironment(BaseSettings):
    """`MINEMAP_ALERT_WEBHOOK` is the address to which alerts are posted as JSON.

    `MINEMAP_ALERT_SMTP_HOST`, `_PORT`, `_USER` and `_PASSWORD` name the mail server and the account there,
    `MINEMAP_ALERT_SMTP_FROM` and `_TO` the addresses of sender and readers, with commas between them;
    `MINEMAP_ALERT_SMTP_SECURITY` is `starttls`, `tls` or `none`.
    """

    model_config = SettingsConfigDict(env_prefix="MINEMAP_ALERT_", env_file=".env", extra="ignore", frozen=True)
    webhook: SecretStr = SecretStr("")
    smtp_host: str = ""
    smtp_port: int = Field(587, ge=1, le=65_535)
    smtp_user: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_from: str = ""
    smtp_to: str = ""
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"

    @property
    def readers(self) -> list[str]:
        """Addresses of those who are told by e-mail."""
        return [address.strip() for address in self.smtp_to.split(",") if address.strip()]


class UiEnvironment(BaseSettings):
    """`MINEMAP_UI_URL` is the address under which people open the UI, for links in alerts."""

    model_config = SettingsConfigDict(env_prefix="MINEMAP_UI_", env_file=".env", extra="ignore", frozen=True)
    url: str = ""


def read_alert_environment() -> AlertEnvironment:
    """The environment's word on alerts. Raises `BadInputError` naming the variable that is wrong."""
    try:
        return AlertEnvironment()
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0])
        sentence = explain(error, AlertEnvironment).removeprefix(name).removeprefix(": ").strip()
        raise BadInputError(f"MINEMAP_ALERT_{name.upper()} {sentence}") from None


def link_to(run_id: str) -> str:
    """Where a run is shown; empty where nobody said where the UI is."""
    url = UiEnvironment().url.rstrip("/")
    return f"{url}/runs/{run_id}" if url else ""


def without_secrets(text: str) -> str:
    """A text without accounts and queries of addresses, and without the values of secret environment variables."""
    for name, value in os.environ.items():
        if _SECRET_NAMES.search(name.upper()) and len(value.strip()) >= _SHORTEST:
            text = text.replace(value.strip(), "***")
    environment = AlertEnvironment()
    for secret in (environment.webhook.get_secret_value(), environment.smtp_password.get_secret_value()):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, "***")
    return _QUERY.sub("?...", _ACCOUNT.sub("", text))
