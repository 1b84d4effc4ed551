"""Telling people: by the log, by a webhook, by e-mail. Whoever cannot be reached now is told later.

What a delivery says when it fails holds neither the webhook's address, which lets everybody post there, nor a password.
"""

import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from typing import Any

from dagster_project.alerts.alert_environment import AlertEnvironment, link_to
from dagster_project.alerts.failures import Gathered
from minemap_assets.errors import MinemapError, RetryableError
from minemap_assets.net.policy import ClientPolicy

WEBHOOK_SECONDS = 12.0
MAIL_SECONDS = 20.0
_SILENCE = 10.0
_SHOWN = 20

Delivery = Callable[[Sequence[Gathered]], None]
"""Tells failures. Raises `RetryableError` where that has to be tried again."""


def deliveries(environment: AlertEnvironment, log: logging.Logger, wanted: Sequence[str]) -> Mapping[str, Delivery]:
    """The ways that are in use: the log, and each of the wanted that the environment says where to."""
    found: dict[str, Delivery] = {"log": lambda groups: _to_log(log, groups)}
    if "webhook" in wanted and environment.webhook.get_secret_value():
        found["webhook"] = lambda groups: _to_webhook(environment, groups)
    if "email" in wanted and environment.smtp_host:
        found["email"] = lambda groups: _by_mail(environment, groups)
    return found


def text_of(groups: Sequence[Gathered]) -> str:
    """All sentences, one a line."""
    lines = [group.sentence for group in groups[:_SHOWN]]
    if len(groups) > _SHOWN:
        lines.append(f"{len(groups) - _SHOWN} other kinds of failure are in the UI, under Runs.")
    return "\n".join(lines)


def posted(groups: Sequence[Gathered]) -> dict[str, Any]:
    """What a webhook receives: `text` for people, and the facts of each failure."""
    failures = [
        {
            "sentence": group.sentence,
            "count": len(group.failures),
            "run_id": group.first.run_id,
            "job": group.first.job,
            "partition": group.first.partition,
            "step": group.first.step,
            "link": link_to(group.first.run_id) if group.first.run_id else "",
        }
        for group in groups[:_SHOWN]
    ]
    return {"text": text_of(groups), "failures": failures}


def _to_log(log: logging.Logger, groups: Sequence[Gathered]) -> None:
    for group in groups:
        log.error("%s", group.sentence)


def _to_webhook(environment: AlertEnvironment, groups: Sequence[Gathered]) -> None:
    from minemap_assets.net.client import Client

    address = environment.webhook.get_secret_value()
    policy = ClientPolicy(attempts=1, timeout=_SILENCE, deadline=WEBHOOK_SECONDS)
    with _unlogged("httpx"):
        try:
            with Client("the webhook", policy) as client:
                client.request("POST", address, body=posted(groups))
        except MinemapError as error:
            kind = type(error).__name__.removesuffix("Error").lower()
            raise RetryableError(
                f"the webhook of MINEMAP_ALERT_WEBHOOK did not take {len(groups)} alerts ({kind}), and is told again "
                "later; check its address and whether it answers"
            ) from None


def _by_mail(environment: AlertEnvironment, groups: Sequence[Gathered]) -> None:
    if not environment.readers or not environment.smtp_from:
        raise RetryableError(
            "MINEMAP_ALERT_SMTP_HOST is set, but nobody is told: set MINEMAP_ALERT_SMTP_FROM and "
            "MINEMAP_ALERT_SMTP_TO as well"
        )
    message = EmailMessage()
    failures = sum(len(group.failures) for group in groups)
    message["Subject"] = f"minemap: {failures} failure{'' if failures == 1 else 's'}, {groups[0].first.subject}"
    message["From"], message["To"] = environment.smtp_from, ", ".join(environment.readers)
    message.set_content(text_of(groups) + "\n")
    try:
        with _session(environment) as session:
            session.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        raise RetryableError(
            f"the mail server {environment.smtp_host} did not take {len(groups)} alerts ({_words(error)}), and is told "
            "again later; check MINEMAP_ALERT_SMTP_HOST and what belongs to it"
        ) from None


@contextmanager
def _session(environment: AlertEnvironment) -> Iterator[smtplib.SMTP]:
    """A session with the mail server, logged in, which is cut off when it takes too long."""
    secured = ssl.create_default_context()
    session = (
        smtplib.SMTP_SSL(timeout=_SILENCE, context=secured)
        if environment.smtp_security == "tls"
        else smtplib.SMTP(timeout=_SILENCE)
    )
    # what its certificate has to name; given to the constructor, it would connect before the timer runs
    session._host = environment.smtp_host  # type: ignore[attr-defined]
    timer = threading.Timer(MAIL_SECONDS, _hang_up, [session])
    timer.daemon = True
    timer.start()
    try:
        session.connect(environment.smtp_host, environment.smtp_port)
        if environment.smtp_security == "starttls":
            session.starttls(context=secured)
        if environment.smtp_user:
            session.login(environment.smtp_user, environment.smtp_password.get_secret_value())
        yield session
        session.quit()
    finally:
        timer.cancel()
        session.close()


def _hang_up(session: smtplib.SMTP) -> None:
    """End a session from outside: whoever waits for its next word is told that there is none."""
    if session.sock is not None:
        with suppress(OSError):  # it has ended meanwhile
            session.sock.shutdown(socket.SHUT_RDWR)


def _words(error: OSError | smtplib.SMTPException) -> str:
    """What went wrong; a server's own words might repeat what it was sent."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"it answers {error.smtp_code}"
    return type(error).__name__


@contextmanager
def _unlogged(name: str) -> Iterator[None]:
    """Keep a library from logging the addresses that this thread asks for."""
    mine, logger = threading.get_ident(), logging.getLogger(name)

    def not_mine(record: logging.LogRecord) -> bool:
        return record.thread != mine

    logger.addFilter(not_mine)
    try:
        yield
    finally:
        logger.removeFilter(not_mine)
