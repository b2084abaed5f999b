"""One JSON object by a schema from a language model: any server that speaks OpenAI's `POST /chat/completions`.

Ollama, llama.cpp, vLLM, LM Studio and hosted services do. What feeds say goes in as JSON inside the user's message, so it cannot
end its own quotation; the instructions are ours alone. No prompt is proof against a text that gives orders: whoever asks
decides what an answer may do.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from aggregator.cleaning import plain_line
from aggregator.enrich.base import NotMade, Trouble
from aggregator.enrich.http import Endpoint

__all__ = ["Answer", "Chat"]

_FORMATS: Final = ("schema", "object", "none")  # from the strictest: a server that refuses one is asked with the next
_THOUGHTS: Final = re.compile(r"^\s*<think>.*?</think>\s*", re.DOTALL)  # of reasoning models
_FENCE: Final = re.compile(r"^```(?:json)?\s*(.*?)\s*```$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Answer:
    """The object that was answered, unchecked. `model` names model and server; tokens are as they count them, 0 = unknown."""

    found: dict[str, Any]
    model: str
    tokens_in: int = 0
    tokens_out: int = 0

    def unreadable(self, why: object) -> NotMade:
        """What to tell when the object is not the one asked for."""
        return _not_asked_for(why, self.tokens_in, self.tokens_out)


class Chat:
    """Asks `endpoint`, the base URL that ends in /v1, for `model`. Safe to use from many tasks of one event loop at once."""

    def __init__(self, endpoint: Endpoint, model: str) -> None:
        self._endpoint = endpoint
        self._model = model
        self._format = 0

    @property
    def name(self) -> str:
        """Model and server: another server may run the same name with other weights."""
        return f"{self._model}/{self._endpoint.host}"

    async def aclose(self) -> None:
        """Close the connections."""
        await self._endpoint.aclose()

    async def ask(
        self,
        instructions: str,
        data: dict[str, Any],
        *,
        name: str,
        schema: dict[str, Any],
        max_tokens: int,
        temperature: float = 0.0,
    ) -> Answer | NotMade:
        """One call with `data` as the user's message; `schema`, called `name`, is that of the answer. Raises nothing but CancelledError.

        A server that does not know a format of answers is asked again with a laxer one, and from then on at once.
        """
        request: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": instructions.strip()},
                {"role": "user", "content": json.dumps(data, ensure_ascii=False)},
            ],
            "temperature": temperature,
            "max_tokens": max_tokens,
            "stream": False,
        }
        while True:
            asked = self._format
            answer = await self._endpoint.post("/chat/completions", request | self._form(name, schema))
            refused = isinstance(answer, NotMade) and re.search(r"HTTP 4(?:00|22)\b.*(?:format|schema)", answer.detail)
            if not (refused and asked < len(_FORMATS) - 1):
                break
            self._format = max(self._format, asked + 1)
        return answer if isinstance(answer, NotMade) else _read(answer, self.name)

    def _form(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        match _FORMATS[self._format]:
            case "schema":
                form = {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}
            case "object":
                form = {"type": "json_object"}
            case _:
                return {}
        return {"response_format": form}


def _read(answer: Any, model: str) -> Answer | NotMade:
    """What a chat completion says, with the tokens that it cost; NotMade when it is no such answer."""
    try:
        choice = answer["choices"][0]
        content = choice["message"]["content"]
        usage = answer.get("usage") or {}
        tokens = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
        model = f"{model} ({answer['model']})" if answer.get("model") and str(answer["model"]) not in model else model
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        return NotMade(Trouble.ANSWER, f"not a chat completion: {error!r}"[:200])
    if choice.get("finish_reason") == "length":
        return NotMade(Trouble.ANSWER, "the answer was cut off (finish_reason: length)", None, *tokens)
    try:
        bare = _THOUGHTS.sub("", str(content or "")).strip()
        fenced = _FENCE.match(bare)
        found = json.loads(fenced[1] if fenced else bare)
    except ValueError as error:
        return _not_asked_for(repr(error), *tokens)
    if not isinstance(found, dict):
        return _not_asked_for(f"a {type(found).__name__}", *tokens)
    return Answer(found, plain_line(model)[:120], *tokens)


def _not_asked_for(why: object, tokens_in: int, tokens_out: int) -> NotMade:
    return NotMade(Trouble.ANSWER, f"the answer is not the JSON asked for: {why}"[:200], None, tokens_in, tokens_out)
