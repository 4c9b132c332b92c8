"""Every command line in `commands/` does the same as `consul` and as `fairlead`.

Both programs talk to an agent of ours, each to one of its own, so that what one
writes the other does not see.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conformance.command_lines import Outcome, Scenario, Side, comparable, parse
from tests.processes import FAIRLEAD, fairlead_agent

COMMANDS = Path(__file__).parent / "commands"
SCENARIOS = [scenario for path in sorted(COMMANDS.glob("*.txt")) for scenario in parse(path)]


class Difference(NamedTuple):
    """What Consul does, what Fairlead does instead, and why."""

    consul: str
    fairlead: str
    why: str


DIFFERENCES = {
    "bad-base64": Difference(
        "`kv put -base64` with bad data prints an error, writes an empty value and exits 0",
        "prints the same error, writes nothing, exits 1",
        "nothing is half done",
    ),
    "cas-of-a-new-key": Difference(
        "`kv put -cas -modify-index=0` is refused",
        "writes only if there is no such key, as `?cas=0` does",
        "to make a key is what people want a compare-and-swap for",
    ),
    "delete-of-no-key": Difference(
        "`kv delete a//b` says `Success!` and deletes nothing",
        "an error, exit 1",
        "no URL can name such a key",
    ),
    "details-of-tabs": Difference(
        "`kv get -detailed` aligns tabs within values",
        "prints values as they are",
        "a value is not ours to change",
    ),
    "extra-arguments": Difference(
        "`info`, `version`, `members`, `maint`, `reload` and others ignore arguments",
        "refuse them, exit 1",
        "a mistake should not go unnoticed",
    ),
    "help-of-nothing": Difference(
        "`kv bogus -h` prints the help of `kv` and exits 0",
        "says that there is no such command, exits 1",
        "a mistake should not go unnoticed",
    ),
    "help-of-the-command": Difference(
        "`-h` anywhere behind `lock` and `watch` asks for their help",
        "behind the command it is the command's",
        "commands take `-h` too",
    ),
    "import-checks-first": Difference(
        "`kv import` writes until it meets a fault",
        "checks everything before it writes",
        "nothing is half done",
    ),
    "import-null-entry": Difference(
        "`kv import [null]` ends in a panic, exit 2",
        "an error, exit 1",
        "a mistake of the data is no bug of the program",
    ),
    "import-prefix": Difference(
        "`kv import` has no `-prefix` (1.8)",
        "has one, as Consul 1.10",
        "to copy a tree",
    ),
    "unknown-extension": Difference(
        "a configuration file that is neither `.hcl` nor `.json` is skipped with a warning",
        "an error, with what to do about it; in a folder it is skipped with a warning as well",
        "a file that is named is meant",
    ),
    "unused-key": Difference(
        "`validate` says nothing of keys that it knows",
        "warns on stderr of keys that have no effect yet; exit 0 as well",
        "a setting should not fail to work in silence",
    ),
    "validate-log-level": Difference(
        "`validate` accepts any `log_level`, the agent then refuses it",
        "`validate` refuses what the agent would",
        "that is what it is for",
    ),
    "version": Difference(
        "prints `Consul v1.8.7` and the protocol",
        "prints Fairlead's own version; called `consul`, `Consul v1.8.7` first",
        "it is another program",
    ),
    "words-of-help": Difference(
        "its own words", "other words, the same exit code and stream", "it is another program"
    ),
}


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, consul_path: str) -> Iterator[list[Side]]:
    """Consul's program and ours, with an agent each."""
    agents, sides = [], []
    for name, program in (("consul", [consul_path]), ("fairlead", FAIRLEAD)):
        folder = tmp_path_factory.mktemp(name)
        agents.append(fairlead_agent(folder, "-node=n1", dev=True).start())
        sides.append(Side(program, agents[-1], folder))
    yield sides
    for agent in agents:
        agent.stop()


def play(side: Side, scenario: Scenario, folder: Path) -> list[Outcome]:
    """What one program did, command by command."""
    folder.mkdir()
    side.folder = folder
    outcomes = [side.run(line) for line in scenario.lines]
    return comparable([outcome for outcome in outcomes if outcome is not None])


@pytest.mark.xdist_group("cli")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.title)
def test_both_programs_do_the_same(scenario: Scenario, sides: list[Side], tmp_path: Path) -> None:
    with ThreadPoolExecutor(len(sides)) as pool:
        played = pool.map(
            lambda position: play(sides[position], scenario, tmp_path / str(position)), (0, 1)
        )
        theirs, ours = played
    commands = [line for line in scenario.lines if line.kind in ("$", "~")]
    wrong = []
    for line, their, our in zip(commands, theirs, ours, strict=True):
        fault = _fault(their, our, words=line.kind == "$")
        if line.difference:
            fault = "" if fault else f"is no difference any more: {line.difference}"
        if fault:
            name = f"line {line.number}: {line.text[:100]}"
            wrong.append(f"{name}: {fault}\n  consul:   {their}\n  fairlead: {our}")
    assert not wrong, "\n".join(wrong)


def _fault(their: Outcome, our: Outcome, *, words: bool) -> str:
    """In what the outcomes differ; `words` says whether those of errors matter."""
    if "Traceback" in our.stderr:
        return "ends in a traceback"
    if their.code != our.code:
        return "has another exit code"
    if their.stdout != our.stdout:
        return "prints something else"
    if bool(their.stderr) != bool(our.stderr) or (words and their.error() != our.error()):
        return "has other errors"
    return ""


def test_every_difference_is_in_the_table_and_the_table_has_no_other() -> None:
    used = {line.difference for scenario in SCENARIOS for line in scenario.lines}
    assert used - {""} == set(DIFFERENCES)
