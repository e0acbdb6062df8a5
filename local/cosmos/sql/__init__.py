"""The query language: tokens, syntax tree, closures that evaluate it on items, and the cross-partition plan."""
