"""The one exception of xrun."""


class Error(Exception):
    """What went wrong, and the way out.

    code: "invalid" (the caller or a file), "timeout", "cancelled", or "device" (a trap, a launch that failed).
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message if not hint else f"{message}\n  hint: {hint}")
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type["Error"], tuple[str, str, str]]:
        return (type(self), (self.code, self.message, self.hint))
