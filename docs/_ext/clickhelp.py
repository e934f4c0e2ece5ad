"""``{clickhelp} module:command``: the help of a click command and of all below it, as sections.

The texts are those that ``--help`` prints. Paragraphs behind ``\\b`` keep their columns.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator

import click
from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class ClickHelp(SphinxDirective):
    """The directive."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """A section for each command."""
        module, _, name = self.arguments[0].partition(":")
        command = getattr(importlib.import_module(module), name)
        return self.sections(command, click.Context(command, info_name="analogkan"))

    def sections(self, command: click.Command, ctx: click.Context) -> list[nodes.Node]:
        """The command's own section; those of what is below it follow, not nested in it."""
        path = ctx.command_path
        section = nodes.section(ids=[nodes.make_id(path)], names=[nodes.fully_normalize_name(path)])
        section += nodes.title(path, path)
        usage = " ".join([path, *command.collect_usage_pieces(ctx)])
        section += nodes.literal_block(usage, usage, language="none")
        section += list(paragraphs(inspect.cleandoc(command.help or "")))
        section += options(command, ctx)
        self.state.document.note_explicit_target(section)
        found: list[nodes.Node] = [section]
        if isinstance(command, click.Group):
            for name in command.list_commands(ctx):
                below = command.get_command(ctx, name)
                assert below is not None
                found += self.sections(below, click.Context(below, info_name=name, parent=ctx))
        return found


def paragraphs(text: str) -> Iterator[nodes.Node]:
    """Help text as nodes: literal blocks behind ``\\b``, else words with literals in backticks."""
    for part in re.split(r"\n\s*\n", text):
        if part.startswith("\b\n"):
            block = part.removeprefix("\b\n")
            yield nodes.literal_block(block, block, language="none")
        else:
            yield words(part)


def words(text: str) -> nodes.paragraph:
    """A paragraph; what stands in backticks is literal."""
    made = nodes.paragraph()
    for k, part in enumerate(re.split(r"`+([^`]+)`+", " ".join(text.split()))):
        made += nodes.literal(part, part) if k % 2 else nodes.Text(part)
    return made


def options(command: click.Command, ctx: click.Context) -> list[nodes.Node]:
    """A definition list of the options, as ``--help`` words them."""
    records = [p.get_help_record(ctx) for p in command.get_params(ctx)]
    listed = nodes.definition_list(classes=["options"])
    for record in filter(None, records):
        term = nodes.term("", "", nodes.literal(record[0], record[0]))
        listed += nodes.definition_list_item("", term, nodes.definition("", words(record[1])))
    return [listed] if len(listed) else []


def setup(app) -> dict[str, bool]:
    """Offer the directive."""
    app.add_directive("clickhelp", ClickHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
