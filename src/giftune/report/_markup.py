"""Text that Markdown and LaTeX show as it is."""

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "_": r"\_",
    "%": r"\%", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "↑": r"$\uparrow$", "↓": r"$\downarrow$",
    "▲": r"$\blacktriangle$", "▼": r"$\blacktriangledown$", "−": "$-$", "–": "--",
}  # fmt: skip
_MARKDOWN = {mark: f"\\{mark}" for mark in "\\`*_[]<>|~#$"}


def to_markdown(text: str) -> str:
    return "".join(_MARKDOWN.get(letter, letter) for letter in text)


def to_latex(text: str) -> str:
    """The triangles are of amssymb."""
    return "".join(_LATEX.get(letter, letter) for letter in text)
