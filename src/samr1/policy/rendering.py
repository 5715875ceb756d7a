"""Run one chat template, as a program of its own; `samr1.policy.chat` starts it.

On stdin {"template": …, "special": {…}, "system": whether there is one} as JSON; on stdout
{"text": …} or {"error": …}. Whatever the template does, it gets a few seconds of a processor and a
bounded memory. The dialect of Jinja is that of `transformers`, without the date: a prompt must be
the same tomorrow.
"""

from __future__ import annotations

import json
import resource
import sys

SECONDS = 2  # of a processor; a template takes a hundredth
_MEMORY = 400_000_000  # bytes; Python and Jinja take 60 million
_LONGEST = 100_000  # characters of the text

SYSTEM = "The system prompt stands here."
QUESTION = "The question stands here."


def main() -> None:
    for kind, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, _MEMORY)):
        _, hard = resource.getrlimit(kind)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (most, most))
    request = json.loads(sys.stdin.read())
    try:
        text = render(request["template"], request["special"], request["system"])
        answer = {"text": text} if len(text) <= _LONGEST else {"error": "its text has no end"}
    # A template can raise anything; each is its own fault, and a word for a person.
    except Exception as error:
        answer = {"error": " ".join(f"{type(error).__name__} {error}".split())[:300]}
    print(json.dumps(answer))


def render(template: str, special: dict[str, str], system: bool) -> str:
    """The chat before the answer: a system prompt, and a user's turn of an image and a question.

    Without `system` it begins with the user's turn.
    """
    from jinja2 import TemplateError
    from jinja2.ext import Extension, loopcontrols
    from jinja2.nodes import Node
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """The mark of what an assistant says, which is for training: what is in it is rendered."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Parser) -> list[Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(
        value, ensure_ascii=False, indent=indent
    )
    environment.globals["raise_exception"] = raise_exception
    text: str = environment.from_string(template).render(
        messages=[
            *([{"role": "system", "content": SYSTEM}] if system else []),
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": QUESTION}],
            },
        ],
        tools=None,
        documents=None,
        add_generation_prompt=True,
        **special,
    )
    return text


if __name__ == "__main__":
    main()
