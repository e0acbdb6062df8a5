"""The local stack: Azurite, the Cosmos server, the services and the functions host, started and ended as one."""
