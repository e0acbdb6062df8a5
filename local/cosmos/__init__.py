"""A local server that speaks the Azure Cosmos DB for NoSQL wire protocol over SQLite; for running and testing only."""
