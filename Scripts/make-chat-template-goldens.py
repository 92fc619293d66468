"""Renders chat templates with Transformers and writes what `ChatTemplateGoldenTests` compares with.

    python Scripts/make-chat-template-goldens.py

The templates in `Fixtures/templates` behave like those of the published model families, error checks included;
what they say in words is our own. Needs transformers 5 and jinja2 3.1.6.
"""

import datetime
import json
import pathlib

from transformers.utils import chat_template_utils

FIXTURES = pathlib.Path(__file__).parent.parent / "Tests/GraftTemplatesTests/Fixtures"
NOW = datetime.datetime(2026, 7, 4, 9, 5, 30)

SPECIAL_TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tells the weather of a \"place\" <now> & here.",
            "parameters": {
                "type": "object",
                "properties": {
                    "place": {"type": "string", "description": "Where, e.g. Zürich"},
                    "unit": {"type": "string", "enum": ["celsius", "kelvin"], "default": "celsius"},
                    "days": {"type": ["integer", "null"], "description": "How many"},
                    "tags": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["place"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}},
    },
]

CALL = {
    "type": "function",
    "id": "call12345",
    "function": {"name": "weather", "arguments": {"place": "Zürich", "days": 2}},
}
CALL_AS_TEXT = {"id": "abcdefghi", "function": {"name": "now", "arguments": "{\"zone\": \"CET\"}"}}

CONVERSATIONS = {
    "one": [{"role": "user", "content": "Hello"}],
    "system": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    "turns": [
        {"role": "user", "content": "What is 2 + 2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "And 3 + 3?"},
        {"role": "assistant", "content": "6"},
    ],
    "system-turns": [
        {"role": "system", "content": "  Rhyme.  "},
        {"role": "user", "content": "One"},
        {"role": "assistant", "content": "Sun"},
        {"role": "user", "content": "Two"},
    ],
    "unicode": [
        {"role": "user", "content": "Grüße, 世界 👩‍👩‍👧 e\u0301 \u00a0{{ not a tag }} {% nor this %}"},
        {"role": "assistant", "content": "ﬁne \"quotes\" 'and' <b>&amp;</b> \\ back"},
        {"role": "user", "content": "ΟΔΟΣ İ ß\r\nCRLF\tand tab"},
    ],
    "spaces": [
        {"role": "user", "content": "  \n lead and trail \n\n "},
        {"role": "assistant", "content": "\n\n  answer  \n"},
        {"role": "user", "content": "\u2003em\u3000 "},
    ],
    "empty": [{"role": "user", "content": ""}, {"role": "assistant", "content": ""}, {"role": "user", "content": "?"}],
    "thinking": [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "<think>\nFirst.\n\nSecond.\n</think>\n\nBecause."},
        {"role": "user", "content": "Really?"},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "\nSure of it.\n"},
    ],
    "calls": [
        {"role": "system", "content": "Use tools."},
        {"role": "user", "content": "Weather in Zürich?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "name": "weather", "tool_call_id": "call12345", "content": "{\"sky\": \"blue\"}"},
        {"role": "assistant", "content": "Blue sky."},
        {"role": "user", "content": "Thanks"},
    ],
    "parallel-calls": [
        {"role": "user", "content": "Weather and time?"},
        {"role": "assistant", "content": None, "thinking": "Two calls.", "tool_calls": [CALL, CALL_AS_TEXT]},
        {"role": "tool", "name": "weather", "tool_call_id": "call12345", "content": "sun"},
        {"role": "tool", "name": "now", "tool_call_id": "abcdefghi", "content": {"hour": 9, "exact": 9.5, "late": False}},
    ],
    "parts": [
        {
            "role": "user",
            "content": [{"type": "text", "text": " Look: "}, {"type": "image"}, {"type": "text", "text": "nice"}],
        },
        {"role": "assistant", "content": [{"type": "text", "text": "Yes"}]},
    ],
    "odd-start": [{"role": "assistant", "content": "I begin."}, {"role": "user", "content": "Oh"}],
    "twice": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
    "unknown-role": [{"role": "user", "content": "a"}, {"role": "critic", "content": "b"}],
    "no-content": [{"role": "user"}],
    "no-messages": [],
}

EXTRAS = {
    "qwen3": [{"enable_thinking": False}],
    "gpt-oss": [{"reasoning_effort": "high", "model_identity": "You are a test."}],
    "llama3.1": [{"date_string": "26 Jul 2024"}, {"tools_in_user_message": False}],
    "smollm3": [{"enable_thinking": False}, {"xml_tools": ["x"], "custom_instructions": "Mind."}],
    "command-r": [{"documents": [{"title": "T", "text": "Größe"}, {"title": "U", "text": "small", "rank": 2}]}],
    "granite": [{"documents": [{"text": "first"}, {"text": "second"}]}],
}


def render(template, messages, tools, prompt, variables):
    variables = dict(variables)
    documents = variables.pop("documents", None)
    texts, spans = chat_template_utils.render_jinja_template(
        [messages], tools=tools, documents=documents, chat_template=template, add_generation_prompt=prompt,
        return_assistant_tokens_mask="generation %}" in template or "generation -%}" in template,
        **{**SPECIAL_TOKENS, **variables},
    )
    text = texts[0]
    offset = lambda index: len(text[:index].encode())
    return {"text": text, "spans": [[offset(a), offset(b)] for a, b in (spans[0] if spans else [])]}


def kind(error):
    """What `ChatTemplateError.Kind` the error corresponds to."""
    name = type(error).__name__
    return {
        "TemplateError": "raised", "UndefinedError": "undefined", "SecurityError": "security",
        "TemplateSyntaxError": "syntax", "TemplateAssertionError": "syntax", "RecursionError": "limit",
    }.get(name, "value")


def case(name, template, conversation, tools, prompt, variables):
    result = {"template": name, "conversation": conversation, "tools": tools, "prompt": prompt, "variables": variables}
    try:
        rendered = render(template, CONVERSATIONS[conversation], TOOLS if tools else None, prompt, variables)
        result["text"] = rendered["text"]
        if rendered["spans"]:
            result["spans"] = rendered["spans"]
    except Exception as error:
        result["error"] = kind(error)
        if result["error"] == "raised":
            result["message"] = str(error)
    return {key: value for key, value in result.items() if value not in (False, {})}


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


def main():
    chat_template_utils.datetime = FixedClock
    cases = []
    for path in sorted((FIXTURES / "templates").glob("*.jinja")):
        template = path.read_text()
        name = path.stem
        usesTools = "tools" in template or "tool_calls" in template
        for conversation in CONVERSATIONS:
            for prompt in (True, False):
                cases.append(case(name, template, conversation, False, prompt, {}))
            if usesTools and conversation in ("one", "system", "calls", "parallel-calls", "twice"):
                cases.append(case(name, template, conversation, True, True, {}))
            if conversation in ("system-turns", "calls"):
                for variables in EXTRAS.get(name, []):
                    cases.append(case(name, template, conversation, usesTools, True, variables))
    goldens = {
        "now": NOW.replace(tzinfo=datetime.timezone.utc).timestamp(), "special_tokens": SPECIAL_TOKENS,
        "tools": TOOLS, "conversations": CONVERSATIONS, "cases": cases,
    }
    lines = ["{"]
    for key in ("now", "special_tokens", "tools", "conversations"):
        lines.append(f"{json.dumps(key)}: {json.dumps(goldens[key], ensure_ascii=False)},")
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in cases)
    lines.append(f"\"cases\": [\n{rows}\n]}}\n")
    (FIXTURES / "goldens.json").write_text("\n".join(lines))
    errors = sum("error" in row for row in cases)
    print(f"{len(cases)} cases, {errors} of them errors")


if __name__ == "__main__":
    main()
