"""What is kept: one SQLite file with the catalog of databases and containers, and one table per container."""
