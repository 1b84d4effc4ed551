"""A terminal's screen, as far as lines that change need one: what stands on it after everything was written."""

import re

_PIECES = re.compile(r"\x1b\[([0-9;?]*)([a-zA-Z])|(\r)|(\n)|([^\x1b\r\n]+)")


def screen(written: str) -> list[str]:
    """Lines on the screen, without colours and without empty lines at the end."""
    lines, row, column = [""], 0, 0
    for figures, command, back, down, text in _PIECES.findall(written):
        if back:
            column = 0
        elif down:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif text:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + text + line[column + len(text) :]
            column += len(text)
        elif command == "A":
            row = max(0, row - int(figures or 1))
        elif command == "K":
            lines[row] = "" if figures == "2" else lines[row][:column]
    while lines and not lines[-1].strip():
        lines.pop()
    return [line.rstrip() for line in lines]
