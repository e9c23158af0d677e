"""The shell of the gateway: sockets, TLS, processes and the one file that performs effects."""
