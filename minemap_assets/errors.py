"""The one error hierarchy of the project: each class says what a caller may do about a failure.

Falling through to the next source of the same product is right for `NotFoundError` and its children only;
`RetryableError`, `QuotaError` and `AuthenticationError` fail the site, which then waits for a rerun.
"""


class MinemapError(Exception):
    """Root of every error raised on purpose; its text is one sentence for a person."""


class RetryableError(MinemapError):
    """The same request may succeed later (time-outs, dropped connections, overload)."""


class ConflictError(RetryableError):
    """Somebody else wrote the same thing meanwhile, and theirs stays."""


class BusyError(RetryableError):
    """Somebody else still holds what is needed, and it was waited for long enough."""


class AuthenticationError(MinemapError):
    """Credentials are missing, wrong or expired."""


class QuotaError(MinemapError):
    """The account's allowance is used up."""


class NotFoundError(MinemapError):
    """What was asked for does not exist there."""


class NotCoveredError(NotFoundError):
    """The source exists, but has no pixels for this place and season."""


class NotEntitledError(NotFoundError):
    """The account works, but its plan does not include this product."""


class PermanentError(MinemapError):
    """Asking again will fail again, and the input is not at fault."""


class StorageError(PermanentError):
    """The lake or this machine's disk cannot be used as it is: no other partition would fare better."""


class BadInputError(MinemapError):
    """What a person gave is wrong: the text says what, where, and what to do."""
