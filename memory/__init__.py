"""Memory: what an agent carries from one step, run and session into the next.

Short-term memory keeps a conversation inside a token budget; long-term memory keeps records that later tasks recall.
"""

if __name__ != "agentkit.memory":
    raise ImportError("import agentkit.memory, not memory")

from agentkit.memory.audit import AuditTrail, Decided
from agentkit.memory.chroma import ChromaStore
from agentkit.memory.chunkers import Chunk, chunk
from agentkit.memory.context import Context, ContextBuilder
from agentkit.memory.contradictions import Arbiter, ModelArbiter, Settled
from agentkit.memory.deciding import Decider, Related, RuleDecider, Verdict
from agentkit.memory.digests import Fact, Graph, KnowledgeGraph, RunningSummary, graph_of
from agentkit.memory.documents import Documents, Ingested, as_context, cite
from agentkit.memory.extraction import Candidate, Extractor, ModelExtractor, RuleExtractor
from agentkit.memory.facade import AgentMemory, LongTermRecaller
from agentkit.memory.feedback import Lessons, RepeatedFailure, repeated_failures
from agentkit.memory.fusion import Fusion, RankFusion, ScoreFusion
from agentkit.memory.in_memory import InMemoryStore
from agentkit.memory.manager import Manager
from agentkit.memory.model_deciding import ModelDecider
from agentkit.memory.policies import Buffer, ContextPolicy, LastTurns, TokenWindow
from agentkit.memory.portable import Imported, export_lines, import_lines
from agentkit.memory.recall import GENERATIVE_AGENTS, LongTermMemory, Recalled, Recollection, Reranker, Weights
from agentkit.memory.records import EVERYTHING, KINDS, Filter, Kind, Memory, Provenance, Scope
from agentkit.memory.rewriting import ModelRewriter, Rewriter, Rewritten, Unsolvable
from agentkit.memory.sessions import SessionRow, SessionStore
from agentkit.memory.skill_selection import SkillsFirst
from agentkit.memory.skills import Skill, SkillLibrary
from agentkit.memory.sqlite import SqliteStore, stored_embedder
from agentkit.memory.statements import RELATIONS, Grammar, Relation, Statement
from agentkit.memory.store import Disagreement, Match, MemoryStore, history
from agentkit.memory.tables import Queue, Row, Table

__all__ = [
    "EVERYTHING",
    "GENERATIVE_AGENTS",
    "KINDS",
    "RELATIONS",
    "AgentMemory",
    "Arbiter",
    "AuditTrail",
    "Buffer",
    "Candidate",
    "ChromaStore",
    "Chunk",
    "Context",
    "ContextBuilder",
    "ContextPolicy",
    "Decided",
    "Decider",
    "Disagreement",
    "Documents",
    "Extractor",
    "Fact",
    "Filter",
    "Fusion",
    "Grammar",
    "Graph",
    "Imported",
    "InMemoryStore",
    "Ingested",
    "Kind",
    "KnowledgeGraph",
    "LastTurns",
    "Lessons",
    "LongTermMemory",
    "LongTermRecaller",
    "Manager",
    "Match",
    "Memory",
    "MemoryStore",
    "ModelArbiter",
    "ModelDecider",
    "ModelExtractor",
    "ModelRewriter",
    "Provenance",
    "Queue",
    "RankFusion",
    "Recalled",
    "Recollection",
    "Related",
    "Relation",
    "RepeatedFailure",
    "Reranker",
    "Rewriter",
    "Rewritten",
    "Row",
    "RuleDecider",
    "RuleExtractor",
    "RunningSummary",
    "Scope",
    "ScoreFusion",
    "SessionRow",
    "SessionStore",
    "Settled",
    "Skill",
    "SkillLibrary",
    "SkillsFirst",
    "SqliteStore",
    "Statement",
    "Table",
    "TokenWindow",
    "Unsolvable",
    "Verdict",
    "Weights",
    "as_context",
    "chunk",
    "cite",
    "export_lines",
    "graph_of",
    "history",
    "import_lines",
    "repeated_failures",
    "stored_embedder",
]
