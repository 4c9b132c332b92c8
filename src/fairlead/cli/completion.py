"""`fairlead completion`: what makes a shell complete verbs, flags and keys."""

from __future__ import annotations

import os
import re

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from fairlead.cli.verbs import verb

__all__ = ["command"]

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line type value
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            *)
                [[ $value ]] || continue
                [[ ${COMP_WORDS[COMP_CWORD]} == [\\"\\']* ]] || printf -v value %%q "$value"
                COMPREPLY+=("$value")
                [[ $value == */ ]] && compopt -o nospace ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD \\
        %(complete_var)s=bash_complete "$1" 2>/dev/null)
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""
_BREAKS = re.compile(r"[:=]+")


class Bash(BashComplete):
    """Bash takes `:` and `=` for words of their own; addresses and keys hold them."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Needs no newer bash than any in use."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words = split_arg_string(os.environ["COMP_WORDS"])
        current = int(os.environ["COMP_CWORD"])
        words = [*words[1:current], words[current] if current < len(words) else ""]
        joined = _joined(words)
        # Bash replaces its own last word only, so what is before that must not be said again.
        last = "" if _BREAKS.fullmatch(words[-1]) else words[-1]
        self._said = len(_completed(joined[-1])) - len(last)
        return joined[:-1], joined[-1]

    def format_completion(self, item: CompletionItem) -> str:
        return f"{item.type},{item.value[self._said :]}"


def _completed(word: str) -> str:
    """The part of a word that is completed: of a flag with a value, the value.

    >>> _completed("-key=web:"), _completed("web=1"), _completed("-key")
    ('web:', 'web=1', '-key')
    """
    return word.partition("=")[2] if word.startswith("-") and "=" in word else word


def _joined(words: list[str]) -> list[str]:
    """The words as they were typed.

    >>> _joined(["-http-addr", "=", "localhost", ":", "8500", "web", ":", "k"])
    ['-http-addr=localhost:8500', 'web:k']
    """
    joined = [""]
    for position, word in enumerate(words):
        glued = _BREAKS.fullmatch(word) or (position and _BREAKS.fullmatch(words[position - 1]))
        if glued or not position:
            joined[-1] += word
        else:
            joined.append(word)
    return joined


add_completion_class(Bash)


@verb(
    "completion",
    examples="""
fairlead completion bash >> ~/.bashrc
fairlead completion zsh >> ~/.zshrc
fairlead completion fish > ~/.config/fish/completions/fairlead.fish
""",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script of SHELL: verbs, flags, and the keys of the agent."""
    program = ctx.find_root().info_name or "fairlead"
    completion = get_completion_class(shell)
    assert completion is not None, "the choices are those click knows"
    variable = f"_{program.upper()}_COMPLETE"
    print(completion(ctx.find_root().command, {}, program, variable).source(), end="")
