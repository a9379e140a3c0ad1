"""Language models behind one port: OpenAI and compatible servers, Anthropic, and llama.cpp in this process.

An SDK or an engine is imported when a model makes its first call.
"""
