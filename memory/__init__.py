"""Memory: what an agent carries from one step, run and session into the next.

Short-term memory keeps a conversation inside a token budget; long-term memory keeps records that later tasks recall.
"""

if __name__ != "agentkit.memory":
    raise ImportError("import agentkit.memory, not memory")

from agentkit.memory.chroma import ChromaStore
from agentkit.memory.chunkers import Chunk, chunk
from agentkit.memory.context import Context, ContextBuilder
from agentkit.memory.digests import Fact, Graph, KnowledgeGraph, RunningSummary, graph_of
from agentkit.memory.documents import Documents, Ingested, as_context, cite
from agentkit.memory.facade import AgentMemory, LongTermRecaller
from agentkit.memory.in_memory import InMemoryStore
from agentkit.memory.policies import Buffer, ContextPolicy, LastTurns, TokenWindow
from agentkit.memory.recall import GENERATIVE_AGENTS, LongTermMemory, Recalled, Recollection, Reranker, Weights
from agentkit.memory.records import EVERYTHING, KINDS, Filter, Kind, Memory, Provenance, Scope
from agentkit.memory.rewriting import ModelRewriter, Rewriter, Rewritten, Unsolvable
from agentkit.memory.sessions import SessionRow, SessionStore
from agentkit.memory.sqlite import SqliteStore
from agentkit.memory.store import Disagreement, Match, MemoryStore, history
from agentkit.memory.tables import Queue, Row, Table

__all__ = [
    "EVERYTHING",
    "GENERATIVE_AGENTS",
    "KINDS",
    "AgentMemory",
    "Buffer",
    "ChromaStore",
    "Chunk",
    "Context",
    "ContextBuilder",
    "ContextPolicy",
    "Disagreement",
    "Documents",
    "Fact",
    "Filter",
    "Graph",
    "InMemoryStore",
    "Ingested",
    "Kind",
    "KnowledgeGraph",
    "LastTurns",
    "LongTermMemory",
    "LongTermRecaller",
    "Match",
    "Memory",
    "MemoryStore",
    "ModelRewriter",
    "Provenance",
    "Queue",
    "Recalled",
    "Recollection",
    "Reranker",
    "Rewriter",
    "Rewritten",
    "Row",
    "RunningSummary",
    "Scope",
    "SessionRow",
    "SessionStore",
    "SqliteStore",
    "Table",
    "TokenWindow",
    "Unsolvable",
    "Weights",
    "as_context",
    "chunk",
    "cite",
    "graph_of",
    "history",
]
