"""What a line grammar admits, asked of llguidance, which decodes by the same grammar."""

from __future__ import annotations

from llguidance import LLMatcher, LLTokenizer

_TOKENIZER = LLTokenizer("byte")


def admits(lark: str, line: str, *, newline: bool = True) -> bool:
    """Whether a grammar admits exactly `line`, with its newline or without one."""
    grammar = LLMatcher.grammar_from_lark(lark)
    assert not LLMatcher.validate_grammar(grammar)
    matcher = LLMatcher(_TOKENIZER, grammar)
    tokens = _TOKENIZER.tokenize_str(f"{line}\n" if newline else line)
    return bool(matcher.try_consume_tokens(tokens) == len(tokens) and matcher.is_accepting())
