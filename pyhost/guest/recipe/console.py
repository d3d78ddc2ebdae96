"""Progress of long steps: one line that is redrawn on a terminal, a plain line every ten seconds elsewhere."""
import sys
import time

REDRAW_SECONDS = 0.2
PLAIN_SECONDS = 10.0


def duration(seconds: float) -> str:
    """12 s, or 3 min 5 s."""
    whole = int(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


class Progress:
    """The state of one step on the screen: what, how far, how long."""

    def __init__(self, title: str):
        self._title = title
        self._start = time.monotonic()
        self._shown = self._start
        self._tty = sys.stderr.isatty()
        self._print("started")

    def update(self, detail: str) -> None:
        """Shows how far the step is; cheap enough to be called for every line of a log."""
        now = time.monotonic()
        if now - self._shown < (REDRAW_SECONDS if self._tty else PLAIN_SECONDS):
            return
        self._shown = now
        self._print(f"{detail}, {duration(now - self._start)}")

    def done(self) -> None:
        self._print(f"done in {duration(time.monotonic() - self._start)}", last=True)

    def abandon(self) -> None:
        """Leaves the cursor on a fresh line, so that an error stands alone."""
        if self._tty:
            sys.stderr.write("\n")

    def _print(self, text: str, last: bool = False) -> None:
        line = f"{self._title}: {text}"
        if self._tty:
            sys.stderr.write(f"\r\x1b[K{line}" + ("\n" if last else ""))
        else:
            sys.stderr.write(line + "\n")
        sys.stderr.flush()
