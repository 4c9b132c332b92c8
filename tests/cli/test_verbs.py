"""Verbs: what they say of wrong flags, and their help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

import click
import pytest

from fairlead.cli.main import VERBS, command
from fairlead.cli.verbs import DURATION, INT, UINT, Group, option, switch, verb
from tests.cli.conftest import Fairlead


def every_verb(group: Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name, (module, _) in group.verbs.items():
        inner = import_module(module).command
        yield f"{path}{name}", inner
        if isinstance(inner, Group):
            yield from every_verb(inner, f"{path}{name} ")


ALL = dict(every_verb(command))


@verb("try", examples="fairlead try -number=3")
@switch("-yes", help="Say yes.")
@switch("-no", help="Say no.", default=True)
@option("-number", help="A number.", type=INT, default=0)
@option("-natural", help="A number that is not negative.", type=UINT)
@option("-how-long", help="A duration.", type=DURATION)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def sample(**given: object) -> dict[str, object]:
    """Give back what was understood."""
    return given


def understood(line: str) -> dict[str, object]:
    values: dict[str, object] = sample.main(line.split(), "fairlead", standalone_mode=False)
    return values


def refused(line: str) -> str:
    with pytest.raises(click.UsageError) as caught:
        understood(line)
    return caught.value.format_message()


def test_flags_have_defaults_and_values() -> None:
    assert understood("") == {
        "yes": False,
        "no": True,
        "number": 0,
        "natural": None,
        "how_long": None,
        "args": (),
    }
    assert understood("-yes --no=false -number=-3 -natural 0x10 -how-long=1m30s a -b") == {
        "yes": True,
        "no": False,
        "number": -3,
        "natural": 16,
        "how_long": 90_000_000_000,
        "args": ("a", "-b"),
    }


def test_the_last_of_a_flag_counts() -> None:
    assert understood("-yes -yes=false -number=1 -number=2")["yes"] is False
    assert understood("-yes=f -yes")["yes"] is True
    assert understood("-number=1 -number=2")["number"] == 2


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-yes=maybe", 'invalid boolean value "maybe" for -yes: parse error'),
        ("-number=x", 'invalid value "x" for flag -number: parse error'),
        ("-number=", 'invalid value "" for flag -number: parse error'),
        ("-natural=-1", 'invalid value "-1" for flag -natural: parse error'),
        (
            f"-natural={2**64}",
            f'invalid value "{2**64}" for flag -natural: value out of range',
        ),
        (
            "-how-long=90",
            'invalid value "90" for flag -how-long: time: missing unit in duration "90"',
        ),
        ("-numbr=1", "flag provided but not defined: -numbr (did you mean -number?)"),
        ("-zzz", "flag provided but not defined: -zzz"),
        ("-number", "flag needs an argument: -number"),
    ],
)
def test_a_wrong_flag_is_named_in_words_of_go(line: str, words: str) -> None:
    assert refused(line) == words


def test_help_of_what_runs_a_command_is_not_asked_for_behind_it(fairlead: Fairlead) -> None:
    assert fairlead("lock", "help/a", "echo", "-h").stdout == "-h\n"
    assert fairlead("lock", "-h").stdout.startswith("Usage: fairlead lock ")
    assert fairlead("kv", "get", "a", "-h").stdout.startswith("Usage: fairlead kv get ")
    assert fairlead("kv", "put", "--", "help/b", "-h").code == 0


@pytest.mark.parametrize("name", ALL)
def test_every_verb_explains_itself(name: str) -> None:
    verb = ALL[name]
    text = verb.get_help(click.Context(verb, info_name=f"fairlead {name}", terminal_width=100))
    follows = "COMMAND" if isinstance(verb, Group) else "[OPTIONS]"
    assert text.startswith(f"Usage: fairlead {name} {follows}")
    purpose = text.split("\n\n")[1].strip()
    assert re.match(r"[A-Z].*\.", purpose, re.DOTALL), purpose
    assert "Examples:\n" in text
    assert f"fairlead {name}" in text.partition("Examples:")[2]
    assert "Options:" in text


@pytest.mark.parametrize("name", ALL)
def test_every_flag_is_explained_and_shown_with_one_dash(name: str) -> None:
    verb = ALL[name]
    context = click.Context(verb, info_name=name)
    for parameter in verb.get_params(context):
        if isinstance(parameter, click.Option) and "--help" not in parameter.opts:
            record = parameter.get_help_record(context)
            assert record is not None
            assert re.match(r"-[a-z]", record[0]), record
            assert record[1].endswith((".", "]")), record


def test_the_list_of_verbs_has_a_line_for_each(fairlead: Fairlead) -> None:
    text = fairlead("-h").stdout
    for name, (_, about) in VERBS.items():
        assert re.search(rf"^  {name} +{re.escape(about)}$", text, re.MULTILINE)


def test_own_flags_come_before_those_of_the_agent() -> None:
    text = ALL["kv get"].get_help(click.Context(ALL["kv get"], info_name="get"))
    assert text.index("Options:") < text.index("Which agent to ask:")
