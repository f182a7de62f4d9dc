"""The file kinds, each with one reader and one writer. ARCHITECTURE.md lists their columns."""
